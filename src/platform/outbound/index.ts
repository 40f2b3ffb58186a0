/**
 * Outbound: what leaves the process. Mail, and web push.
 *
 * Promises that no text of a person becomes a header, that an address which somebody gave us is called only where it is
 * on a list and leads outside, and that a receiver who is slow or silent costs a bounded time.
 * Never decides who is told, and never tries again by itself: that is the durable queue's business.
 */
export { type Mail, type MailTransport, openMailTransport, UnsafeMail } from './mail.ts';
export { newPushKeys, openPushTransport, type PushOutcome, type PushTarget, type PushTransport } from './web-push.ts';
