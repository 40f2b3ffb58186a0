import { tenancyEntities } from './tenancy/index.ts';

/** Every entity, in the order of the wings. Nothing is discovered by itself. */
export const entities = [...tenancyEntities];
