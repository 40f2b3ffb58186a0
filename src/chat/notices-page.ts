import type { Person } from '../identity/index.ts';
import type { Scope } from '../platform/database/index.ts';
import { countDevices, mailAddress, readChoices } from '../reach/index.ts';
import type { ChatDeps } from './chat-deps.ts';
import { noticesPath, supportPath } from './paths.ts';

/** Everything `/chat/notices` shows. */
export async function noticesPage(deps: ChatDeps, scope: Scope<Person>, saved: boolean): Promise<object> {
  const { actor } = scope;
  const [address, choices, devices] = [
    await mailAddress(scope, actor.id),
    await readChoices(scope, actor.id),
    await countDevices(scope),
  ];
  const minutes = deps.messaging.settings(scope.tenant.id).emailAfterMinutes;
  return {
    me: { id: actor.id, name: actor.name, userType: actor.userType },
    notices: {
      action: noticesPath(actor.userType),
      key: deps.push.publicKey,
      devices,
      saved,
      // without an address, or where nobody is mailed, there is nothing to choose
      mail: deps.mails && minutes > 0 && address ? { address, wanted: choices.wantsMail, minutes } : null,
    },
    listHref: supportPath(actor.userType),
  };
}
