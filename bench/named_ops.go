package bench

import (
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// namedOps are operations that are in the table only if an expression names their kind.
func namedOps(text string) (ops []Op) {
	if strings.Contains(text, "search") {
		ops = append(ops, searchOp())
	}
	if strings.Contains(text, "mx/") || strings.Contains(text, "wide/") || strings.Contains(text, "scales/") || strings.Contains(text, "library/") {
		ops = append(ops, mxOps()...)
	}
	if strings.Contains(text, "histogram") {
		ops = append(ops, Op{"histogram/bf16", oneGroup, func(a *arena, n int) work {
			x, h := elements[bf16.BFloat16](a, n), new(quant.Histogram[bf16.BFloat16])
			return work{func() { h.Add(x) }, size(x), 0}
		}})
	}
	if strings.Contains(text, "stochastic") {
		ops = append(ops, Op{"stochastic/int8", oneGroup, func(a *arena, n int) work {
			v, dst := elements[float32](a, n), alloc[float32](a, n)
			for i := range v {
				v[i] /= .0200003
			}
			return work{func() { kernels.StochasticInt(dst, v, -128, 127, kernels.Random{Seed: 1}) }, size(v), size(dst)}
		}})
	}
	if strings.Contains(text, "small") {
		names := []string{"quantize/int8", "dequantize/int8", "minmax", "encode/f16", "quant/quantize/int8"}
		for _, op := range slices.Concat(tensorOps[float32]("", []grouping{oneGroup}), conversionOps(), quantOps([]grouping{oneGroup})) {
			if slices.Contains(names, op.Name) {
				ops = append(ops, Op{"small/" + op.Name, op.groups, op.begin})
			}
		}
	}
	return ops
}

// searchOp tries 41 ranges for each block of 32, and quantizes by the best.
func searchOp() Op {
	g := blocks(32)
	return Op{"search/int4/block32", g, func(a *arena, n int) work {
		x, codes := elements[float32](a, n), alloc[byte](a, n)
		spec := quant.Spec{DType: quant.Int4, Granularity: g.granularity, RangeCalculator: quant.Algorithm{Name: "mse"}}
		pieces, err := quant.NewPieces[float32](spec, quant.Weight, g.shape(n), false)
		check(err)
		params := quant.Params{Scale: alloc[float32](a, n/32), ZeroPoint: alloc[int32](a, n/32)}
		return work{func() { check(pieces.Quantize(codes, &params, pieces.Whole(), x)) }, size(x), n + size(params.Scale)}
	}}
}
