import Copy from '@lucide/svelte/icons/copy';
import Pause from '@lucide/svelte/icons/pause';
import Play from '@lucide/svelte/icons/play';
import SquareTerminal from '@lucide/svelte/icons/square-terminal';
import Trash from '@lucide/svelte/icons/trash-2';
import type { Sandbox } from '#lib/api/types.ts';
import type { MenuItem } from '#lib/components/Menu.svelte';
import { actsOf, whyNot, type Moment, type SandboxAct } from './can.ts';
import { terminalOf } from './commands.svelte.ts';

export interface MenuActs {
  onpause: (sandbox: Sandbox) => void;
  onresume: (sandbox: Sandbox) => void;
  ondestroy: (sandbox: Sandbox) => void;
}

/** The menu of a capsule, the same in the list, on its cards and on its page. */
export function menuOf(sandbox: Sandbox, moment: Moment, acts: MenuActs): MenuItem[][] {
  const items: Record<SandboxAct, MenuItem> = {
    terminal: { label: 'Open terminal', icon: SquareTerminal, href: terminalOf(sandbox.id) },
    pause: { label: 'Pause', icon: Pause, act: () => acts.onpause(sandbox) },
    resume: { label: 'Resume', icon: Play, act: () => acts.onresume(sandbox) },
    destroy: { label: 'Destroy…', icon: Trash, danger: true, act: () => acts.ondestroy(sandbox) },
  };
  const offered = actsOf(sandbox.status).map((act) => ({
    ...items[act],
    why: whyNot(act, sandbox, moment),
    last: act === 'destroy',
  }));
  return [
    offered.filter((item) => !item.last),
    [{ label: 'Copy id', icon: Copy, act: () => void navigator.clipboard?.writeText(sandbox.id) }],
    offered.filter((item) => item.last),
  ];
}
