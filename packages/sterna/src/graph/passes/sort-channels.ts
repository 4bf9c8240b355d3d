/** Puts channels into an order in which neighbours are alike: codecs with contexts gain from it. */
import type { Model } from '../types.ts'
import { ChannelGroups, type ChannelMeasure } from './channel-groups.ts'
import { heldTensors } from './rebuild-model.ts'
import { type SelectedChannels, selectChannels } from './select-channels.ts'

/**
 * The same function up to the rounding of sums, whose terms come in another order. Channels with the most weights
 * other than zero come first; those of inputs, outputs and of whatever is not known stay where they are. Expects batch
 * norm to be folded.
 */
export function sortChannels(model: Model, by: ChannelMeasure): SelectedChannels {
  const { graph } = model
  const tensors = heldTensors(model)
  const groups = new ChannelGroups(graph, graph.nodes, tensors)
  const sorted = groups.sorted(tensors, by)
  return selectChannels(model, graph.nodes, tensors, groups, sorted)
}
