package bench

import (
	"strings"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
)

// conversionOps are the conversions between float32 and every other type.
func conversionOps() []Op {
	same := func(n int) int { return n }
	var ops []Op
	ops = append(ops, conversion("f16", same, kernels.EncodeFloat16, kernels.DecodeFloat16)...)
	ops = append(ops, conversion("bf16", same, kernels.EncodeBFloat16, kernels.DecodeBFloat16)...)
	ops = append(ops, conversion("e4m3", same, kernels.EncodeE4M3FN, kernels.DecodeE4M3FN)...)
	ops = append(ops, conversion("e5m2", same, kernels.EncodeE5M2, kernels.DecodeE5M2)...)
	ops = append(ops, conversion("e4m3fnuz", same, kernels.EncodeE4M3FNUZ, kernels.DecodeE4M3FNUZ)...)
	ops = append(ops, conversion("e5m2fnuz", same, kernels.EncodeE5M2FNUZ, kernels.DecodeE5M2FNUZ)...)
	ops = append(ops, conversion("e8m0", same, kernels.EncodeE8M0, kernels.DecodeE8M0)...)
	ops = append(ops, conversion("e2m1", same, kernels.EncodeE2M1, kernels.DecodeE2M1)...)
	return append(ops, conversion("e2m1packed", kernels.E2M1Packed.Bytes, kernels.EncodeE2M1Pairs, kernels.DecodeE2M1Pairs)...)
}

// packOps pack codes that exist, and unpack them. Signed and unsigned ones are packed alike.
func packOps() (ops []Op) {
	for _, f := range []struct {
		name   string
		format kernels.Format
	}{{"int4", kernels.Int4}, {"int2", kernels.Int2}} {
		ops = append(ops, Op{"pack/" + f.name, oneGroup, func(a *arena, n int) work {
			packed, codes := alloc[byte](a, f.format.Bytes(n)), alloc[int8](a, n)
			return work{func() { kernels.Pack(packed, codes, f.format) }, n, len(packed)}
		}}, Op{"unpack/" + f.name, oneGroup, func(a *arena, n int) work {
			packed, codes := alloc[byte](a, f.format.Bytes(n)), alloc[int8](a, n)
			return work{func() { kernels.Unpack(codes, packed, f.format) }, len(packed), n}
		}})
	}
	return ops
}

type small interface {
	float16.Float16 | bf16.BFloat16 | fp8.E4M3FN | fp8.E5M2 | fp8.E4M3FNUZ | fp8.E5M2FNUZ | fp8.E8M0 | fp4.E2M1 | fp4.Pair
}

func conversion[S small](name string, length func(n int) int, encode func(dst []S, src []float32), decode func(dst []float32, src []S)) []Op {
	return []Op{
		{"encode/" + name, oneGroup, func(a *arena, n int) work {
			src, dst := elements[float32](a, n), alloc[S](a, length(n))
			return work{func() { encode(dst, src) }, size(src), size(dst)}
		}},
		{"decode/" + name, oneGroup, func(a *arena, n int) work {
			src, dst, x := alloc[S](a, length(n)), alloc[float32](a, n), elements[float32](a, n)
			encode(src, x)
			return work{func() { decode(dst, src) }, size(src), size(dst)}
		}},
	}
}

// dynamicOps observe and quantize.
func dynamicOps(groupings []grouping) (ops []Op) {
	for _, g := range groupings {
		add := func(name string, begin func(a *arena, n int) work) {
			ops = append(ops, Op{"dynamic/" + name + g.suffix, g, begin})
		}
		add("int8", func(a *arena, n int) work {
			x, dst, grid := elements[float32](a, n), alloc[int8](a, n), g.grid(n)
			r := &kernels.IntRule{Min: -128, Max: 127, Scale: alloc[float32](a, grid.Groups)}
			return work{func() { kernels.DynamicInt(dst, x, grid, r) }, size(x), n + size(r.Scale)}
		})
		add("uint8asym", func(a *arena, n int) work {
			x, dst, grid := elements[float32](a, n), alloc[uint8](a, n), g.grid(n)
			r := &kernels.IntRule{Min: 0, Max: 255, Asymmetric: true, Scale: alloc[float32](a, grid.Groups), ZeroPoint: alloc[int32](a, grid.Groups)}
			return work{func() { kernels.DynamicInt(dst, x, grid, r) }, size(x), n + size(r.Scale) + size(r.ZeroPoint)}
		})
		for _, f := range []struct {
			name   string
			format kernels.Format
			scales kernels.ScaleType
		}{
			{"e4m3", kernels.E4M3FN, kernels.ScaleAny},
			{"mxfp8", kernels.E4M3FN, kernels.ScaleE8M0},
			{"mxfp4", kernels.E2M1Packed, kernels.ScaleE8M0},
		} {
			add(f.name, dynamicFloat(g, kernels.FloatRule{Format: f.format, Scales: f.scales}))
		}
		for _, f := range []kernels.Format{kernels.Int4, kernels.Uint4} {
			add(strings.ToLower(f.String())+"packed", func(a *arena, n int) work {
				x, dst, grid := elements[float32](a, n), alloc[byte](a, f.Bytes(n)), g.grid(n)
				least, most := f.Range()
				r := &kernels.IntRule{Format: f, Min: least, Max: most, Scale: alloc[float32](a, grid.Groups)}
				if least == 0 {
					r.ZeroPoint = alloc[int32](a, grid.Groups)
				}
				return work{func() { kernels.DynamicInt(dst, x, grid, r) }, size(x), len(dst) + size(r.Scale) + size(r.ZeroPoint)}
			})
		}
	}
	for _, o := range []struct {
		name   string
		blocks int
		rule   kernels.FloatRule
	}{
		{"mxfp4/block32/rceil", 32, kernels.FloatRule{Format: kernels.E2M1Packed, Dialect: kernels.TorchAO, Scales: kernels.ScaleE8M0, Rule: kernels.ScaleRCeil}},
		{"mxfp6/block32", 32, kernels.FloatRule{Format: kernels.E2M3Packed, Dialect: kernels.TorchAO, Scales: kernels.ScaleE8M0}},
		{"nvfp4/block16", 16, kernels.FloatRule{Format: kernels.E2M1Packed, Dialect: kernels.TorchAO, Scales: kernels.ScaleE4M3FNGlobal, Global: 2.5 / 2688}},
	} {
		g := blocks(o.blocks)
		ops = append(ops, Op{"dynamic/" + o.name, g, dynamicFloat(g, o.rule)})
	}
	return ops
}

// dynamicFloat observes and quantizes by a rule.
func dynamicFloat(g grouping, rule kernels.FloatRule) func(a *arena, n int) work {
	return func(a *arena, n int) work {
		x, dst, grid := elements[float32](a, n), alloc[byte](a, rule.Format.Bytes(n)), g.grid(n)
		r := rule
		r.Scale = alloc[float32](a, grid.Groups)
		return work{func() { kernels.DynamicFloat(dst, x, grid, &r) }, size(x), len(dst) + size(r.Scale)}
	}
}
