/** ResNet-18 for ImageNet (He et al., 2015, table 1) and the wide form TWN adds; input [N, 3, 224, 224]. */
import type { Model, Value } from '../graph/index.ts'
import { basicBlock } from './basic-block.ts'
import { NetworkBuilder } from './network-builder.ts'

/**
 * Four stages of two basic blocks; shortcuts that change the shape are 1×1 convolutions with batch norm (option B).
 * Parameter names are torchvision's. `width` channels in the first stage: 64, or 96 for TWN's ResNet-18B, where
 * every layer has 1.5 times the channels (arXiv 1605.04711, section 3).
 */
export function resnet18(width: 64 | 96, classes: number, seed: number): Model {
  const net = new NetworkBuilder(width === 64 ? 'resnet18' : 'resnet18b', seed, 'kaiming')
  let x = net.graph.input('input', [1, 3, 224, 224])
  x = net.relu(net.batchNorm(net.conv(x, 'conv1', width, 7, { stride: 2, pad: 3 }), 'bn1'), 'relu1')
  x = net.maxPool(x, 'maxpool', 3, { stride: 2, pad: 1 })
  for (const stage of [1, 2, 3, 4]) {
    const channels = width * 2 ** (stage - 1)
    for (const block of [0, 1]) {
      const name = `layer${stage}.${block}`
      const stride = stage > 1 && block === 0 ? 2 : 1
      const shortcut = stride === 1 ? x : optionB(net, x, name, channels, stride)
      x = basicBlock(net, x, shortcut, name, stride)
    }
  }
  x = net.graph.op('GlobalAveragePool', [x], {}, 'avgpool')
  x = net.graph.op('Flatten', [x], { axis: 1 }, 'flatten')
  return net.build(net.linear(x, 'fc', classes))
}

function optionB(net: NetworkBuilder, x: Value, name: string, channels: number, stride: number): Value {
  return net.batchNorm(net.conv(x, `${name}.downsample.0`, channels, 1, { stride }), `${name}.downsample.1`)
}
