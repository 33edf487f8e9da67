package bench

import (
	"slices"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
)

// blockFormat is a float format in short blocks with small scales, as one of the libraries has it.
type blockFormat struct {
	name  string
	block int
	rule  kernels.FloatRule
}

// blockFormats are those of MX and NVFP4. The tensor's largest magnitude is given.
var blockFormats = func() (formats []blockFormat) {
	mx := func(name string, f kernels.Format, d kernels.Dialect, r kernels.ScaleRule) {
		formats = append(formats, blockFormat{name, 32, kernels.FloatRule{Format: f, Dialect: d, Scales: kernels.ScaleE8M0, Rule: r}})
	}
	for _, f := range []struct {
		name   string
		format kernels.Format
	}{{"mxfp8", kernels.E4M3FN}, {"mxfp4", kernels.E2M1Packed}, {"mxfp6", kernels.E2M3Packed}} {
		mx(f.name+"/floor", f.format, kernels.TorchAO, kernels.ScaleFloor)
		mx(f.name+"/even", f.format, kernels.TorchAO, kernels.ScaleEven)
		mx(f.name+"/ceil", f.format, kernels.TorchAO, kernels.ScaleCeil)
		mx(f.name+"/rceil", f.format, kernels.TorchAO, kernels.ScaleRCeil)
		if f.format != kernels.E2M3Packed {
			mx(f.name+"/modelopt", f.format, kernels.ModelOpt, kernels.ScaleFloor)
		}
		mx(f.name+"/compressed", f.format, kernels.CompressedTensors, kernels.ScaleFloor)
	}
	nv := func(name string, d kernels.Dialect, s kernels.ScaleType) {
		r := kernels.FloatRule{Format: kernels.E2M1Packed, Dialect: d, Scales: s}
		if s == kernels.ScaleE4M3FNGlobal {
			r.Global = kernels.GlobalScale[float32](d, 2.5)
		}
		formats = append(formats, blockFormat{"nvfp4/" + name, 16, r})
	}
	nv("torchao", kernels.TorchAO, kernels.ScaleE4M3FNGlobal)
	nv("onelevel", kernels.TorchAO, kernels.ScaleE4M3FN)
	nv("modelopt", kernels.ModelOpt, kernels.ScaleE4M3FNGlobal)
	nv("compressed", kernels.CompressedTensors, kernels.ScaleE4M3FNGlobal)
	return formats
}()

// blockFormatOps observe and quantize, read and fake-quantize them; with scales that are bytes besides, which are decoded before.
func blockFormatOps[T kernels.Float](suffix string) (ops []Op) {
	for _, f := range blockFormats {
		g := blocks(f.block)
		add := func(name string, begin func(a *arena, n int) work) {
			ops = append(ops, Op{"mx/" + name + "/" + f.name + suffix, g, begin})
		}
		begin := func(a *arena, n int) (x []T, codes []byte, grid kernels.Grid, r *kernels.FloatRule) {
			x, codes, grid = elements[T](a, n), alloc[byte](a, f.rule.Format.Bytes(n)), g.grid(n)
			rule := f.rule
			rule.Scale, rule.Factor = alloc[float32](a, grid.Groups), alloc[float32](a, grid.Groups)
			kernels.DynamicFloat(codes, x, grid, &rule)
			return x, codes, grid, &rule
		}
		add("dynamic", func(a *arena, n int) work {
			x, codes, grid, r := begin(a, n)
			return work{func() { kernels.DynamicFloat(codes, x, grid, r) }, size(x), len(codes) + size(r.Scale)}
		})
		add("quantize", func(a *arena, n int) work {
			x, codes, grid, r := begin(a, n)
			p := paramsOf(r)
			return work{func() { kernels.QuantizeFloat(codes, x, grid, p) }, size(x) + size(p.Scale), len(codes)}
		})
		add("dequantize", func(a *arena, n int) work {
			y, codes, grid, r := begin(a, n)
			p := paramsOf(r)
			return work{func() { kernels.DequantizeFloat(y, codes, grid, p) }, len(codes) + size(p.Scale), size(y)}
		})
		add("dequantize/bytes", func(a *arena, n int) work {
			y, codes, grid, r := begin(a, n)
			p := paramsOf(r)
			if r.Scales == kernels.ScaleE8M0 {
				s := alloc[fp8.E8M0](a, grid.Groups)
				kernels.EncodeE8M0(s, p.Scale)
				return work{func() { kernels.DecodeE8M0(p.Scale, s); kernels.DequantizeFloat(y, codes, grid, p) }, len(codes) + len(s), size(y)}
			}
			s := alloc[fp8.E4M3FN](a, grid.Groups)
			kernels.EncodeE4M3FN(s, p.Scale)
			return work{func() { kernels.DecodeE4M3FN(p.Scale, s); kernels.DequantizeFloat(y, codes, grid, p) }, len(codes) + len(s), size(y)}
		})
		add("fakequantize", func(a *arena, n int) work {
			x, _, grid, r := begin(a, n)
			p, y, mask := paramsOf(r), alloc[T](a, n), alloc[byte](a, n)
			return work{func() { kernels.FakeQuantizeFloat(y, kernels.ByteMask(mask), x, grid, p) }, size(x) + size(p.Scale), size(y) + n}
		})
	}
	return ops
}

func paramsOf(r *kernels.FloatRule) *kernels.FloatParams {
	return &kernels.FloatParams{Format: r.Format, Dialect: r.Dialect, Scales: r.Scales, Rule: r.Rule, Global: r.Global, Scale: r.Scale, Factor: r.Factor}
}

// wideFormats are integers of six and of sixteen bits.
var wideFormats = []intFormat{
	{"int6packed", kernels.Int6, -32, 31, .0800003}, {"uint6packed", kernels.Uint6, 0, 63, .0800003},
	{"int16", kernels.Int16, -32768, 32767, .0000800003}, {"uint16", kernels.Uint16, 0, 65535, .0000800003},
}

// wideOps are the operations on these, as bytes.
func wideOps[T kernels.Float](suffix string) (ops []Op) {
	for _, f := range wideFormats {
		for _, g := range []grouping{oneGroup, blocks(32)} {
			add := func(name string, begin func(a *arena, n int) work) {
				ops = append(ops, Op{"wide/" + name + "/" + f.name + g.suffix + suffix, g, begin})
			}
			add("quantize", func(a *arena, n int) work {
				x, codes, grid := elements[T](a, n), alloc[byte](a, f.format.Bytes(n)), g.grid(n)
				p, bytes := f.params(a, grid.Groups)
				return work{func() { kernels.QuantizeInt(codes, x, grid, p) }, size(x) + bytes, len(codes)}
			})
			add("dequantize", func(a *arena, n int) work {
				codes, y, x, grid := alloc[byte](a, f.format.Bytes(n)), alloc[T](a, n), elements[T](a, n), g.grid(n)
				p, bytes := f.params(a, grid.Groups)
				kernels.QuantizeInt(codes, x, grid, p)
				return work{func() { kernels.DequantizeInt(y, codes, grid, p) }, len(codes) + bytes, size(y)}
			})
			add("fakequantize", func(a *arena, n int) work {
				x, y, mask, grid := elements[T](a, n), alloc[T](a, n), alloc[byte](a, n), g.grid(n)
				p, bytes := f.params(a, grid.Groups)
				return work{func() { kernels.FakeQuantizeInt(y, kernels.ByteMask(mask), x, grid, p) }, size(x) + bytes, size(y) + n}
			})
			add("dynamic", func(a *arena, n int) work {
				x, codes, grid := elements[T](a, n), alloc[byte](a, f.format.Bytes(n)), g.grid(n)
				r := &kernels.IntRule{Format: f.format, Min: f.min, Max: f.max, Scale: alloc[float32](a, grid.Groups)}
				if f.min == 0 {
					r.ZeroPoint = alloc[int32](a, grid.Groups)
				}
				return work{func() { kernels.DynamicInt(codes, x, grid, r) }, size(x), len(codes) + size(r.Scale) + size(r.ZeroPoint)}
			})
		}
	}
	return ops
}

// scaleOps are blocks of integers of four bits whose scales are of a type of two bytes, or float32: observed and quantized,
// and read, for which the scales are decoded before.
func scaleOps[T kernels.Float](suffix string) (ops []Op) {
	f, g := packedFormats[0], blocks(32)
	for _, s := range []struct {
		name   string
		scales kernels.ScaleType
		begin  func(a *arena, scale []float32) (decode func(), bytes int)
	}{
		{"float32", kernels.ScaleAny, func(_ *arena, scale []float32) (func(), int) { return func() {}, size(scale) }},
		{"float16", kernels.ScaleFloat16, func(a *arena, scale []float32) (func(), int) {
			stored := alloc[float16.Float16](a, len(scale))
			kernels.EncodeFloat16(stored, scale)
			return func() { kernels.DecodeFloat16(scale, stored) }, size(stored)
		}},
		{"bfloat16", kernels.ScaleBFloat16, func(a *arena, scale []float32) (func(), int) {
			stored := alloc[bf16.BFloat16](a, len(scale))
			kernels.EncodeBFloat16(stored, scale)
			return func() { kernels.DecodeBFloat16(scale, stored) }, size(stored)
		}},
	} {
		ops = append(ops, Op{"scales/dynamic/" + f.name + "/" + s.name + suffix, g, func(a *arena, n int) work {
			x, codes, grid := elements[T](a, n), alloc[byte](a, f.format.Bytes(n)), g.grid(n)
			r := &kernels.IntRule{Format: f.format, Min: f.min, Max: f.max, Scales: s.scales, Scale: alloc[float32](a, grid.Groups)}
			return work{func() { kernels.DynamicInt(codes, x, grid, r) }, size(x), len(codes) + size(r.Scale)}
		}}, Op{"scales/dequantize/" + f.name + "/" + s.name + suffix, g, func(a *arena, n int) work {
			x, codes, y, grid := elements[T](a, n), alloc[byte](a, f.format.Bytes(n)), alloc[T](a, n), g.grid(n)
			p, _ := f.params(a, grid.Groups)
			kernels.QuantizeInt(codes, x, grid, p)
			decode, bytes := s.begin(a, p.Scale)
			return work{func() { decode(); kernels.DequantizeInt(y, codes, grid, p) }, len(codes) + bytes, size(y)}
		}})
	}
	return ops
}

// libraryOps are integers and E4M3FN in the arithmetic of other libraries.
func libraryOps[T kernels.Float](suffix string) (ops []Op) {
	g := blocks(32)
	for _, d := range []struct {
		name    string
		dialect kernels.Dialect
	}{{"compressed", kernels.CompressedTensors}, {"torch", kernels.Torch}} {
		for _, zero := range []bool{false, true} {
			name := "int8/" + d.name
			if zero {
				name += "zeropoint"
			}
			params := func(a *arena, groups int) *kernels.IntParams {
				p, _ := intFormats[0].params(a, groups)
				p.Dialect = d.dialect
				if zero {
					p.ZeroPoint = alloc[int32](a, groups)
					for i := range p.ZeroPoint {
						p.ZeroPoint[i] = 3
					}
				}
				return p
			}
			ops = append(ops, Op{"library/quantize/" + name + suffix, g, func(a *arena, n int) work {
				x, codes, grid := elements[T](a, n), alloc[int8](a, n), g.grid(n)
				p := params(a, grid.Groups)
				return work{func() { kernels.QuantizeInt(codes, x, grid, p) }, size(x) + size(p.Scale), len(codes)}
			}}, Op{"library/fakequantize/" + name + suffix, g, func(a *arena, n int) work {
				x, y, mask, grid := elements[T](a, n), alloc[T](a, n), alloc[byte](a, n), g.grid(n)
				p := params(a, grid.Groups)
				return work{func() { kernels.FakeQuantizeInt(y, kernels.ByteMask(mask), x, grid, p) }, size(x) + size(p.Scale), size(y) + n}
			}})
		}
	}
	for _, d := range []struct {
		name    string
		dialect kernels.Dialect
	}{{"compressed", kernels.CompressedTensors}, {"transformers", kernels.Transformers}} {
		ops = append(ops, Op{"library/dynamic/e4m3/" + d.name + suffix, g, func(a *arena, n int) work {
			x, codes, grid := elements[T](a, n), alloc[byte](a, n), g.grid(n)
			r := &kernels.FloatRule{Format: kernels.E4M3FN, Dialect: d.dialect, Scale: alloc[float32](a, grid.Groups), Factor: alloc[float32](a, grid.Groups)}
			return work{func() { kernels.DynamicFloat(codes, x, grid, r) }, size(x), len(codes) + size(r.Scale)}
		}})
	}
	return ops
}

// mxOps are all of these, of float32 and of bfloat16.
func mxOps() []Op {
	return slices.Concat(
		blockFormatOps[float32](""), wideOps[float32](""), scaleOps[float32](""), libraryOps[float32](""),
		blockFormatOps[bf16.BFloat16]("/bf16"), wideOps[bf16.BFloat16]("/bf16"), scaleOps[bf16.BFloat16]("/bf16"), libraryOps[bf16.BFloat16]("/bf16"),
	)
}
