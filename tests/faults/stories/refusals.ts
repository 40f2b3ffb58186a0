import { http } from '../lab/client.ts';
import { textOf } from '../lab/lab.ts';
import { connected, inLab, type Story } from './story.ts';

/** What is refused is not there, takes no number, and is told to nobody; what comes after it is stored. */
export const refusals: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const tenant = await lab.newTenant();
    const [conversation] = await lab.converse(tenant, 1);
    const [seat] = lab.seats;
    if (!conversation || !seat) throw new Error('no conversation');
    const lead = await lab.signIn(tenant, 'lead');
    const phone = lab.client({ name: 'phone', person: conversation.user, rooms: [conversation.id], window: 4 });
    const reader = lab.client({ name: 'lead', person: lead, rooms: [conversation.id] });
    await connected([phone, reader]);
    const rounds = options.rounds ?? 3;
    for (let round = 0; round < rounds; round++) {
      const say = (count: number) =>
        Promise.all(
          Array.from({ length: count }, (_, at) =>
            phone.send(conversation.id, textOf(conversation.user, round * 100 + at)),
          ),
        );
      await say(3);
      await desk('close');
      const refused = await say(3);
      if (!options.defects && refused.some((one) => one.outcome !== 'fail'))
        throw new Error('a closed one took a message');
      await desk('reopen');
      await say(2);
    }
    return { anomalies: await lab.judge(10_000), rounds, facts: {} };

    async function desk(verb: string): Promise<void> {
      const path = `/api/admin/support/conversations/${conversation?.id}/${verb}`;
      const answer = await http({ port: seat?.front.port ?? 0, method: 'POST', path, token: lead.token, body: {} });
      if (answer.status !== 200) throw new Error(`${verb}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  });
