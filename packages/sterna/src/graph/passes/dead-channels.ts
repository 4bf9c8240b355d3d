/** Drops channels that hold a constant or that nothing reads: sparse ternary networks have many. */
import type { Model } from '../types.ts'
import { absorbConstants } from './channel-constants.ts'
import { ChannelGroups } from './channel-groups.ts'
import { heldTensors } from './rebuild-model.ts'
import { type SelectedChannels, selectChannels } from './select-channels.ts'

/**
 * The same function with fewer channels. Channels tied by a residual addition go only together; inputs and
 * outputs of the network keep theirs. A weight may also become 0 where its input was a constant that now is
 * part of the bias. Expects batch norm to be folded: what it does not know it leaves alone.
 */
export function removeDeadChannels(model: Model): SelectedChannels {
  const { nodes, tensors } = absorbConstants(model, heldTensors(model))
  const groups = new ChannelGroups(model.graph, nodes, tensors)
  return selectChannels(model, nodes, tensors, groups, value => groups.kept(value))
}
