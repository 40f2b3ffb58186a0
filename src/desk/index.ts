/**
 * Desk: what agents do with a conversation besides answering it.
 *
 * Owns who may assign, close and reopen, and under which conditions; messaging writes the columns and the lines.
 * Promises that of two agents who act at once one wins and the other is told, and that doing again what is done already
 * changes nothing; and that a note reaches staff alone: its own table, its own room, no query of the user's side. Never
 * stores message text and never speaks to a user by itself.
 */

import { ConversationNote, NoteMention } from './notes/conversation-note.entity.ts';
import { ConversationRating } from './ratings/conversation-rating.entity.ts';
import { SavedReply } from './saved-replies/saved-reply.entity.ts';

export { AGENT_LANGUAGES, readAgentLanguages, setAgentLanguages } from './agents/agent-languages.ts';
export { assignConversation } from './assign-conversation.ts';
export { type AgentChoice, type AssignMode, type ConsideredAgent, chooseAgent } from './assignment/choose-agent.ts';
export { type ExplainedDecision, explainAssignment } from './assignment/explain-assignment.ts';
export { closeConversation } from './close-conversation.ts';
export { type Colleague, listColleagues } from './colleagues.ts';
export { type Desk, openDesk } from './desk.ts';
export type { DeskEvent } from './events.ts';
export { type BusinessClock, type BusinessHours, businessClock } from './hours/business-hours.ts';
export { type DeskLive, openDeskLive } from './live/desk-live.ts';
export { openQueueLive, type QueueLive } from './live/queue-live.ts';
export { staffRoom } from './live/staff.room.ts';
export { addNote } from './notes/add-note.ts';
export {
  conversationsThatMention,
  countUnseenMentions,
  hasUnseenMention,
  listNoteReaders,
  markMentionsSeen,
} from './notes/mentions.ts';
export { type NoteLine, type NoteView, noteLine, noteView } from './notes/note.view.ts';
export { readNotes } from './notes/read-notes.ts';
export type { StaffName } from './notes/stored-note.ts';
export {
  AVAILABILITY_CHOICES,
  type AvailabilityChoice,
  type AvailableAgent,
  availableAgents,
  noteSeen,
  readAvailability,
  setAvailability,
} from './presence/availability.ts';
export type { Erased } from './privacy/erase-conversations.ts';
export { erasePerson } from './privacy/erase-person.ts';
export { exportPerson } from './privacy/export-person.ts';
export { findSubjects, readSubject } from './privacy/find-persons.ts';
export { setLegalHold } from './privacy/legal-hold.ts';
export { privacyTasks } from './privacy/privacy.tasks.ts';
export { countExpired, retentionJob } from './privacy/retention.ts';
export { queueFor } from './queue/queue-position.ts';
export type { SupportState } from './queue/support-state.ts';
export { type GivenRating, listRatings } from './ratings/list-ratings.ts';
export { MAX_RATING_COMMENT, type Rating, rateConversation, readRating } from './ratings/rate-conversation.ts';
export { contactsFor, type PersonRecord, readPerson } from './read-person.ts';
export { canReopen, reopenConversation } from './reopen-conversation.ts';
export { changeSavedReply, createSavedReply, deleteSavedReply } from './saved-replies/change-saved-reply.ts';
export { conversationNumber, filledReply } from './saved-replies/fill-reply.ts';
export { findSavedReplies, listSavedReplies, readSavedReply } from './saved-replies/read-saved-replies.ts';
export type { SavedReply } from './saved-replies/saved-reply.entity.ts';
export { countLate, listDueConversations } from './targets/due-list.ts';
export { type DueTime, dueTime, soonMinutes } from './targets/due-time.ts';
export { type DueResponse, listDueResponses } from './targets/response-clocks.ts';

/** This wing's tables. */
export const deskEntities = [ConversationNote, NoteMention, SavedReply, ConversationRating];
