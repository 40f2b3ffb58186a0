const DOT = '•';
/** Country calling codes of two digits (ITU E.164); 1 and 7 have one digit, all others three. */
const TWO_DIGIT_CODES = new Set(
  '20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98'.split(
    ' ',
  ),
);

/** `+8801712345678` becomes `+880 1•• ••• ••78`: country, first and last two digits stay, for people who may not call. */
export function maskPhone(phone: string): string {
  const digits = phone.replace(/\D/g, '');
  const country = phone.trim().startsWith('+') ? callingCode(digits) : '';
  const national = digits.slice(country.length);
  const hidden =
    national.length < 6
      ? DOT.repeat(national.length)
      : `${national[0]}${DOT.repeat(national.length - 3)}${national.slice(-2)}`;
  const grouped = hidden.length > 6 ? [hidden.slice(0, 3), hidden.slice(3, 6), hidden.slice(6)].join(' ') : hidden;
  return country ? `+${country} ${grouped}` : grouped;
}

function callingCode(digits: string): string {
  if (digits.startsWith('1') || digits.startsWith('7')) return digits.slice(0, 1);
  return TWO_DIGIT_CODES.has(digits.slice(0, 2)) ? digits.slice(0, 2) : digits.slice(0, 3);
}

/** `rahim.uddin@example.com` becomes `r•••@example.com`. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@');
  if (at < 1) return DOT.repeat(3);
  const first = String.fromCodePoint(email.codePointAt(0) ?? 0x2022);
  return `${first}${DOT.repeat(3)}${email.slice(at)}`;
}
