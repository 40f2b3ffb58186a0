/** A user's home. */
export function homePath(userType: string): string {
  return `/${userType}`;
}

/** Their conversations; a new one starts here. */
export function supportPath(userType: string): string {
  return `/${userType}/support`;
}

/** One of them. */
export function conversationPath(userType: string, id: string): string {
  return `/${userType}/support/conversations/${id}`;
}

/** How they are told of answers while they are away. */
export function noticesPath(userType: string): string {
  return `/${userType}/support/notices`;
}
