import { deskEntities } from './desk/index.ts';
import { identityEntities } from './identity/index.ts';
import {
  Attachment,
  AttachmentUpload,
  Conversation,
  ConversationStart,
  Message,
  Participant,
} from './messaging/index.ts';
import { AnswerMail } from './reach/index.ts';
import { tenancyEntities } from './tenancy/index.ts';

/** Every entity, in the order of the wings. Nothing is discovered by itself. */
export const entities = [
  ...tenancyEntities,
  ...identityEntities,
  Conversation,
  ConversationStart,
  Participant,
  Message,
  Attachment,
  AttachmentUpload,
  ...deskEntities,
  AnswerMail,
];
