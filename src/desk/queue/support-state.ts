import type { Scope } from '../../platform/database/index.ts';
import type { SupportSettings } from '../../tenancy/index.ts';
import type { BusinessClock } from '../hours/business-hours.ts';

/** Whether somebody is there, as users may know it. */
export interface SupportState {
  /** False: users can read and not write. */
  readonly enabled: boolean;
  readonly isOpen: boolean;
  /** While closed: when it opens; null while open, or when nothing opens in sight. */
  readonly opensAt: Date | null;
  /** While open: when it closes; null while closed, or when it does not close in sight. */
  readonly closesAt: Date | null;
  /** The tenant's words for outside of the hours; null while open, or when it has none of its own. */
  readonly awayMessage: string | null;
}

/** The opening state at `scope.now`, by the tenant's settings and hours from memory. */
export function supportState(
  scope: Pick<Scope, 'now'>,
  settings: Pick<SupportSettings, 'enabled' | 'awayMessage'>,
  clock: BusinessClock,
): SupportState {
  const isOpen = clock.isOpen(scope.now);
  return {
    enabled: settings.enabled,
    isOpen,
    opensAt: isOpen ? null : clock.nextOpening(scope.now),
    closesAt: isOpen ? clock.nextClosing(scope.now) : null,
    awayMessage: isOpen ? null : settings.awayMessage || null,
  };
}
