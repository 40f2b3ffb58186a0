import { rewrite } from './rewrite.ts';

/** A mail counts as sent before it is. */
rewrite('marked-first', [
  {
    file: 'src/reach/answer-mails/send-answer-mail.ts',
    find: '    await reach.mail.send(composeAnswerMail',
    put: "    mail.settle('sent', now);\n    await em.flush();\n    await reach.mail.send(composeAnswerMail",
  },
]);
