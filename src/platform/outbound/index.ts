/**
 * Outbound: what leaves the process. Mail so far.
 *
 * Promises that no text of a person becomes a header, and that a receiver who is slow or silent costs a bounded time.
 * Never decides who is told, and never tries again by itself: that is the durable queue's business.
 */
export { type Mail, type MailTransport, openMailTransport, UnsafeMail } from './mail.ts';
