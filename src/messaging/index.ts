/**
 * Messaging: conversations, who takes part, and the log of messages.
 *
 * Owns the order of things: every message, system line and change takes the next number under its conversation's lock.
 * Promises that what was acknowledged is stored, once, in order (D1 to D5 of the contract). Writes conversation columns
 * alone, never knows about agents' queues, notes or pages, and never tells anybody before the commit.
 */

export { type AttachView, attachView, unsentAttachments } from './attachments/attach.view.ts';
export { Attachment } from './attachments/attachment.entity.ts';
export { type AttachmentView, attachmentView, pageLinks } from './attachments/attachment.view.ts';
export { AttachmentUpload } from './attachments/attachment-upload.entity.ts';
export { attachmentsCheckTask } from './attachments/check-attachments.task.ts';
export { FILE_FORMS } from './attachments/file-links.ts';
export { contentDisposition } from './attachments/file-name.ts';
export { type Files, openFiles } from './attachments/files.ts';
export {
  findAttachment,
  hasUnchecked,
  type OpenedAttachment,
  openAttachment,
  otherWithUnchecked,
} from './attachments/open-attachment.ts';
export { MAX_ATTACHMENTS } from './attachments/post-with-attachments.ts';
export { receiveForm } from './attachments/receive-form.ts';
export { cancelUpload, takePiece, type UploadProgress, uploadProgress } from './attachments/resume-upload.ts';
export { attachmentJobs } from './attachments/sweep-attachments.ts';
export { accessConversation, findOpenConversation, lockConversation } from './conversations/access-conversation.ts';
export { announceClosing, assignTo, close, reopen } from './conversations/change-state.ts';
export { CONVERSATION_STATUSES, Conversation, PRIORITIES } from './conversations/conversation.entity.ts';
export { conversationFor } from './conversations/conversation.view.ts';
export { ConversationStart } from './conversations/conversation-start.entity.ts';
export { gatherWords, gatherWordsOf, wordJobs } from './conversations/gather-words.ts';
export {
  type ConversationFilters,
  type ConversationList,
  conversationConditions,
  type ListedConversation,
  type ListPage,
  listConversations,
  listMyConversations,
} from './conversations/list-conversations.ts';
export { markRead } from './conversations/mark-read.ts';
export { Participant } from './conversations/participant.entity.ts';
export { messageReopens, reopenableUntil } from './conversations/reopen-window.ts';
export { startConversation } from './conversations/start-conversation.ts';
export { CONVERSATION_ROOM, conversationRoom } from './live/conversation.room.ts';
export { type Live, openLive } from './live/live.ts';
export { personRoom } from './live/other-rooms.ts';
export { participantView } from './live/participants.ts';
export { createAppender } from './messages/append-messages.ts';
export { deleteMessage } from './messages/delete-message.ts';
export { editMessage } from './messages/edit-message.ts';
export { Message } from './messages/message.entity.ts';
export {
  audienceOf,
  type MessageItem,
  type MessageView,
  messageItem,
  messageText,
  messageView,
} from './messages/message.view.ts';
export { type LogPage, type LogWindow, readLog } from './messages/message-log.ts';
export { checkedText, MAX_MESSAGE_LENGTH } from './messages/message-text.ts';
export { postMessage } from './messages/post-message.ts';
export { reactToMessage } from './messages/react-to-message.ts';
export { REACTIONS } from './messages/reactions.ts';
export type { AppendOutcome, NewMessage, StoredMessage } from './messages/stored-message.ts';
export { systemSentence } from './messages/system-sentence.ts';
export { readWholeLog } from './messages/whole-log.ts';
export type { Messaging } from './messaging.ts';
export { rows } from './rows.ts';
