/** The block that residual networks of few layers are made of (He et al., 2015, figure 5 left). */
import type { Value } from '../graph/index.ts'
import type { NetworkBuilder } from './network-builder.ts'

/** x, and shortcut [N, C', H', W'] of the block's output -> relu(shortcut + bn(conv(relu(bn(conv(x)))))). */
export function basicBlock(
  net: NetworkBuilder,
  x: Value,
  shortcut: Value,
  name: string,
  stride: number,
): Value {
  const channels = shortcut.shape[1]!
  const first = net.batchNorm(net.conv(x, `${name}.conv1`, channels, 3, { stride, pad: 1 }), `${name}.bn1`)
  const second = net.conv(net.relu(first, `${name}.relu1`), `${name}.conv2`, channels, 3, { pad: 1 })
  const sum = net.graph.op('Add', [net.batchNorm(second, `${name}.bn2`), shortcut], {}, `${name}.add`)
  return net.relu(sum, `${name}.relu2`)
}
