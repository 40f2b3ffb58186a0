/**
 * Desk: what agents do with a conversation besides answering it.
 *
 * Owns who may assign, close and reopen, and under which conditions; messaging writes the columns and the lines.
 * Promises that of two agents who act at once one wins and the other is told, and that doing again what is done already
 * changes nothing. Never stores message text and never speaks to a user by itself.
 */
export { assignConversation } from './assign-conversation.ts';
export { closeConversation } from './close-conversation.ts';
export { type Colleague, listColleagues } from './colleagues.ts';
export { type BusinessHours, businessClock } from './hours/business-hours.ts';
export { contactsFor, type PersonRecord, readPerson } from './read-person.ts';
export { canReopen, reopenConversation } from './reopen-conversation.ts';
