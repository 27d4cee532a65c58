import CircleArrowRight from '@lucide/svelte/icons/circle-arrow-right';
import CircleMinus from '@lucide/svelte/icons/circle-minus';
import CirclePlus from '@lucide/svelte/icons/circle-plus';
import Copy from '@lucide/svelte/icons/copy';
import SquareTerminal from '@lucide/svelte/icons/square-terminal';
import Trash from '@lucide/svelte/icons/trash-2';
import type { MenuItem } from '#lib/components/Menu.svelte';
import { type Moment, whyNoHost, whyNotCordon } from './can.ts';
import type { HostCommands } from './commands.svelte.ts';
import type { Host } from './words.ts';

/** What can be done with a host. */
export function menuOf(host: Host, commands: HostCommands, moment: Moment): MenuItem[][] {
  const why = whyNotCordon(host, moment);
  const off = host.cordoned || host.drain;
  const pending: MenuItem[] =
    host.status === 'pending'
      ? [
          {
            label: 'New command…',
            icon: SquareTerminal,
            why: whyNoHost(moment),
            act: () => void commands.showAgain(host),
          },
        ]
      : [];
  return [
    [...pending, { label: 'Copy id', icon: Copy, act: () => void navigator.clipboard?.writeText(host.id) }],
    [
      off
        ? {
            label: host.drain ? 'End the drain' : 'Uncordon',
            icon: CirclePlus,
            why,
            act: () => void commands.cordon(host, false),
          }
        : { label: 'Cordon', icon: CircleMinus, why, act: () => void commands.cordon(host, true) },
      { label: 'Drain…', icon: CircleArrowRight, why, act: () => (commands.draining = host) },
    ],
    [
      {
        label: 'Delete…',
        icon: Trash,
        danger: true,
        why: whyNoHost(moment),
        act: () => (commands.deleting = host),
      },
    ],
  ];
}
