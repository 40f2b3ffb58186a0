/**
 * The few errors a use case may end with. Each has a stable `code` that clients may rely on; platform/http maps them
 * to a page, a fragment or JSON once. Expected outcomes that a caller handles are return values, not errors.
 */

/** An error meant for the person or program that asked; `message` is a plain English sentence, safe to show. */
export class AppError extends Error {
  readonly status: number;
  readonly code: string;
  /** Field name to error code, for 422. */
  readonly fields?: Readonly<Record<string, string>>;
  /** What a client needs to go on, e.g. `{conversationId}` of `another_open`. Sent as further keys of the error. */
  readonly detail?: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    extra: { fields?: Readonly<Record<string, string>>; detail?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message);
    this.name = new.target.name;
    this.status = status;
    this.code = code;
    if (extra.fields) this.fields = extra.fields;
    if (extra.detail) this.detail = extra.detail;
  }
}

/** 400: not parseable, or a field nobody knows. */
export class BadRequest extends AppError {
  constructor(code = 'bad_request', message = 'The request could not be understood.', fields?: Record<string, string>) {
    super(400, code, message, fields ? { fields } : {});
  }
}

/** 401: nobody is signed in. */
export class NotSignedIn extends AppError {
  constructor(code = 'not_signed_in', message = 'Sign in first.') {
    super(401, code, message);
  }
}

/** 403: signed in, but a capability is missing, or the tenant switched the thing off. */
export class Forbidden extends AppError {
  constructor(code = 'forbidden', message = 'You may not do this.', detail?: Record<string, unknown>) {
    super(403, code, message, detail ? { detail } : {});
  }
}

/** 404: it does not exist, or it is not yours; nobody can tell which. */
export class NotFound extends AppError {
  constructor(code = 'not_found', message = 'There is nothing here.') {
    super(404, code, message);
  }
}

/** 409: the state is not what the caller thought. */
export class Conflict extends AppError {
  constructor(code: string, message: string, detail?: Record<string, unknown>) {
    super(409, code, message, detail ? { detail } : {});
  }
}

/** 413: more bytes than allowed. */
export class TooLarge extends AppError {
  constructor(code = 'too_large', message = 'This is too large.') {
    super(413, code, message);
  }
}

/** 415: a content type this route does not take. */
export class UnsupportedType extends AppError {
  constructor(code = 'unsupported_type', message = 'This content type is not accepted here.') {
    super(415, code, message);
  }
}

/** 422: parseable but not valid; `fields` says which. */
export class Invalid extends AppError {
  constructor(fields: Record<string, string>, code = 'invalid', message = 'Some fields are not valid.') {
    super(422, code, message, { fields });
  }
}

/** 429: wait `retryAfterSeconds`. */
export class TooMany extends AppError {
  readonly retryAfterSeconds: number;
  constructor(retryAfterSeconds: number, code = 'too_many', message = 'Too many requests. Wait a moment.') {
    super(429, code, message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** 503: cannot be served now; try again after `retryAfterSeconds`. */
export class Unavailable extends AppError {
  readonly retryAfterSeconds: number;
  constructor(retryAfterSeconds = 2, code = 'unavailable', message = 'This cannot be served right now.') {
    super(503, code, message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
