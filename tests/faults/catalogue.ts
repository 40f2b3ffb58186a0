import { access } from './stories/access.ts';
import { balancers } from './stories/balancers.ts';
import { churn } from './stories/churn.ts';
import { changesMeanwhile, cursors } from './stories/cursors.ts';
import { deafDatabase, heldRows, unknownCommit } from './stories/database.ts';
import { assignmentRaces, claimRaces, closingRaces } from './stories/desk.ts';
import { fanOut } from './stories/fan-out.ts';
import { flapping } from './stories/flapping.ts';
import { frozenLeader } from './stories/frozen.ts';
import { hostilePeers } from './stories/hostile.ts';
import { failpoints, killNode, killPostgres } from './stories/kill.ts';
import { deadLine, deafLine, wildHints } from './stories/lines.ts';
import { halfOpen } from './stories/live.ts';
import { mails } from './stories/mails.ts';
import { clocks, crossing, races, rolling, twins } from './stories/nodes.ts';
import { dayOffline } from './stories/offline.ts';
import { collisions, commitOrder } from './stories/order.ts';
import { refusals } from './stories/refusals.ts';
import { longConversation } from './stories/size.ts';
import { slowReaders } from './stories/slow-readers.ts';
import { snapshots } from './stories/snapshots.ts';
import { storm } from './stories/storm.ts';
import type { Story } from './stories/story.ts';
import { ticks } from './stories/ticks.ts';
import { fullDisk, killUploads, slowBodies, slowStore, storeAway } from './stories/uploads.ts';
import { wander } from './stories/wander.ts';

/** A row of faults.md and the story that shows it. */
export interface Entry {
  readonly row: string;
  readonly title: string;
  readonly story: Story;
  /** Rounds of the short form, which CI runs; 0: there is none. */
  readonly short: number;
  /** `own`: it stops its PostgreSQL; `fresh`: it changes or looks at all of a database. Absent: a shared one will do. */
  readonly database?: 'own' | 'fresh';
  /** Speaks of several nodes: it is told over PostgreSQL and over Redis. In the short form over Redis so many rounds. */
  readonly overRedis?: number;
  /** Mostly waits, and measures nothing finer than seconds: the short form is told beside another one. */
  readonly waits?: true;
}

/** Every story, in the order of value. */
export const CATALOGUE: readonly Entry[] = [
  { row: 'F1', title: 'kill -9 of a node with sends in flight', story: killNode, short: 3 },
  { row: 'F2', title: 'kill -9 at six places between send and ack', story: failpoints, short: 6 },
  { row: 'F3', title: 'a day without a line, the program killed twice', story: dayOffline, short: 4 },
  {
    row: 'F5',
    title: 'PostgreSQL crashes: immediate, kill -9, a backend',
    story: killPostgres,
    short: 3,
    database: 'own',
  },
  { row: 'F4', title: 'the same message through two nodes at once', story: twins, short: 80, overRedis: 24 },
  { row: 'F6', title: 'the database swallows everything, then is slow', story: deafDatabase, short: 1, waits: true },
  { row: 'F7', title: 'the answer of a commit is cut', story: unknownCommit, short: 20 },
  {
    row: 'F9',
    title: 'hints come late, twice, shuffled, or not',
    story: wildHints,
    short: 1,
    overRedis: 0,
    waits: true,
  },
  {
    row: 'F9',
    title: 'the line between the nodes is dead, late, flaps',
    story: deadLine,
    short: 1,
    overRedis: 1,
    waits: true,
  },
  {
    row: 'F10',
    title: 'the line between the nodes is half dead',
    story: deafLine,
    short: 1,
    overRedis: 0,
    waits: true,
  },
  { row: 'F12', title: 'the network forgot the sockets', story: halfOpen, short: 6, waits: true },
  { row: 'F14', title: 'the network is gone for two seconds, again and again', story: flapping, short: 3 },
  { row: 'churn', title: 'lines are cut, reset, slowed and dropped over two nodes', story: churn, short: 10 },
  { row: 'F15', title: 'old, future and foreign cursors', story: cursors, short: 4 },
  { row: 'F15', title: 'what changes while somebody catches up', story: changesMeanwhile, short: 2 },
  { row: 'F16', title: 'a page and its stream are one state', story: snapshots, short: 40, overRedis: 0 },
  { row: 'F17', title: 'what is not committed is not gone past', story: commitOrder, short: 6 },
  { row: 'F17', title: 'rows are held and connections ended', story: heldRows, short: 2 },
  { row: 'F18', title: 'readers who do not read', story: slowReaders, short: 1 },
  { row: 'F19', title: 'everybody comes back at once', story: storm, short: 1 },
  { row: 'F20', title: 'nodes are replaced under load', story: rolling, short: 2, overRedis: 0 },
  { row: 'F21', title: 'agents and ends race on two nodes', story: races, short: 4, overRedis: 0 },
  { row: 'F21-assign', title: 'two nodes hand out what comes', story: assignmentRaces, short: 110 },
  { row: 'F21-claim', title: 'an agent claims what is handed out', story: claimRaces, short: 40 },
  { row: 'F22', title: 'the leader is frozen and wakes', story: frozenLeader, short: 3, waits: true },
  { row: 'F23', title: 'clocks that are ten minutes off', story: clocks, short: 5 },
  { row: 'F24', title: 'the disk of the files is full', story: fullDisk, short: 2 },
  {
    row: 'F25',
    title: 'kill -9 in the middle of uploads',
    story: killUploads,
    short: 3,
    database: 'fresh',
    waits: true,
  },
  { row: 'F26', title: 'the store of the files goes away', story: storeAway, short: 2 },
  {
    row: 'F26-slow',
    title: 'the store of the files is slow, silent or dead',
    story: slowStore,
    short: 1,
    database: 'fresh',
    waits: true,
  },
  { row: 'F27', title: 'a very long conversation', story: longConversation, short: 1 },
  { row: 'F28', title: 'one message to very many sockets', story: fanOut, short: 3 },
  {
    row: 'F32',
    title: 'deadlocks, failures to serialize, exhausted pools',
    story: collisions,
    short: 1,
    database: 'fresh',
    waits: true,
  },
  { row: 'F35', title: 'nginx and haproxy as they come from Debian', story: balancers, short: 1, waits: true },
  {
    row: 'D8',
    title: 'the worker is killed on the way of a mail',
    story: mails,
    short: 4,
    database: 'fresh',
    waits: true,
  },
  {
    row: 'wander',
    title: 'programs killed, cut and resumed at random',
    story: wander,
    short: 1,
    overRedis: 0,
    waits: true,
  },
  { row: 'nodes', title: 'a message crosses from node to node', story: crossing, short: 1, overRedis: 0 },
  { row: 'peers', title: 'forty hostile peers cost nobody else anything', story: hostilePeers, short: 1 },
  { row: 'T-AT8', title: 'two hundred bodies that drip', story: slowBodies, short: 0 },
  {
    row: 'T-JB1',
    title: 'a job that three nodes hold runs once a tick',
    story: ticks,
    short: 50,
    database: 'fresh',
    waits: true,
  },
  { row: 'T-JB2', title: 'a message comes while two nodes close', story: closingRaces, short: 40 },
  { row: 'D3', title: 'what is refused is not there and takes no number', story: refusals, short: 3 },
  {
    row: 'D7',
    title: 'who may not hear hears nothing, at once and on every node',
    story: access,
    short: 1,
    overRedis: 1,
  },
];
