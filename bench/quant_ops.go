package bench

import "github.com/lowbit-go/lowbit/quant"

// quantOps are operations of package quant: tensors of any grouping, by as many calls of kernels as it takes.
func quantOps(groupings []grouping) (ops []Op) {
	for _, g := range groupings {
		add := func(name string, begin func(p quantizing) work) {
			ops = append(ops, Op{"quant/" + name + g.suffix, g, func(a *arena, n int) work { return begin(newQuantizing(a, n, g)) }})
		}
		add("fakequantize/int8/bytemask", func(p quantizing) work {
			y, mask := quant.Tensor[float32]{Data: alloc[float32](p.arena, p.n)}, quant.Mask{Kind: quant.ByteMask, Data: alloc[byte](p.arena, p.n)}
			return work{func() { check(p.quantizer.FakeQuantize(&y, p.x, &mask)) }, size(p.x.Data) + p.params, size(y.Data) + p.n}
		})
		add("quantize/int8", func(p quantizing) work {
			codes := quant.Codes{Data: alloc[byte](p.arena, p.n)}
			return work{func() { check(p.quantizer.Quantize(&codes, p.x)) }, size(p.x.Data) + p.params, p.n}
		})
		add("dequantize/int8", func(p quantizing) work {
			codes, y := quant.Codes{Data: alloc[byte](p.arena, p.n)}, quant.Tensor[float32]{Data: alloc[float32](p.arena, p.n)}
			check(p.quantizer.Quantize(&codes, p.x))
			return work{func() { check(quant.Dequantize(&y, codes, 1)) }, p.n + p.params, size(y.Data)}
		})
	}
	return ops
}

// quantizing is a tensor of n elements, and a quantizer for it whose parameters take so many bytes.
type quantizing struct {
	arena     *arena
	n         int
	x         quant.Tensor[float32]
	quantizer *quant.FakeQuantizer[float32]
	params    int
}

func newQuantizing(a *arena, n int, g grouping) quantizing {
	x := quant.Tensor[float32]{Data: elements[float32](a, n), Shape: g.shape(n)}
	spec := quant.Spec{DType: quant.Int8, Granularity: g.granularity}
	groups, err := g.granularity.Groups(x.Shape, quant.Weight)
	check(err)
	count := 1
	for _, n := range groups {
		count *= n
	}
	params, bytes := intFormats[0].params(a, count)
	q, err := quant.NewGiven[float32](spec, quant.Weight, quant.Params{Shape: groups, Scale: params.Scale})
	check(err)
	return quantizing{a, n, x, q, bytes}
}

// check is for what cannot fail, as the table has no mistakes.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
