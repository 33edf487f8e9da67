package kernels

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/golden"
)

// dialectTable is a file of testdata/formats.
type dialectTable map[string]golden.Tensor

func openTable(t *testing.T, name string) dialectTable {
	table, err := golden.Format(name)
	require.NoError(t, err)
	return table
}

// bytes returns the data of a tensor that is there.
func (d dialectTable) bytes(t *testing.T, name string) []byte {
	require.Contains(t, d, name)
	return d[name].Data
}

// expected is what a rule is to make of a tensor.
type expected struct {
	scales []byte    // of E8M0 or E4M3FN
	values []float32 // of other types
	codes  []byte
	global float32
	skip   func(group int) bool // groups that are not specified
	free   func(group int) bool // groups of which only the codes are not
}

// checkRule holds scales and codes of the rule and its parameters against what is
// expected: observed, chosen and quantized apart, and in one; the codes as they
// lie in bytes, and packed as the format has them.
func checkRule[T Float](t *testing.T, name string, x []T, length int, r FloatRule, want expected) {
	t.Helper()
	groups := len(x) / length
	g := Grid{1, groups, length}
	r.Scale, r.Factor, r.Global = make([]float32, groups), make([]float32, groups), want.global
	codes := make([]byte, r.Format.Bytes(len(x)))
	check := func(how string) {
		t.Helper()
		for i, s := range r.Scale {
			if want.skip != nil && want.skip(i) {
				continue
			}
			switch {
			case want.values != nil && math.Float32bits(s) == math.Float32bits(want.values[i]):
			case want.values == nil && r.Scales == ScaleE8M0 && byte(fp8.E8M0FromFloat32(s)) == want.scales[i]:
			case want.values == nil && r.Scales > ScaleE8M0 && (byte(fp8.E4M3FNFromFloat32(s)) == want.scales[i] || s != s && want.scales[i]&0x7f == 0x7f):
			default:
				t.Fatalf("%s: %s: scale[%d] is %v (%#x)", name, how, i, s, math.Float32bits(s))
			}
		}
		for i := range len(x) {
			if group := i / length; want.skip != nil && want.skip(group) || want.free != nil && want.free(group) {
				continue
			}
			at, shift, mask := i*r.Format.Bits()/8, i*r.Format.Bits()%8, uint16(1)<<r.Format.Bits()-1
			pair := func(b []byte) uint16 {
				w := uint16(b[at])
				if at+1 < len(b) {
					w |= uint16(b[at+1]) << 8
				}
				return w >> shift & mask
			}
			if pair(codes) != pair(want.codes) {
				t.Fatalf("%s: %s: code[%d] is %#x, want %#x; x is %v, scale %v", name, how, i, pair(codes), pair(want.codes), value(x[i]), r.Scale[i/length])
			}
		}
	}
	DynamicFloat(codes, x, g, &r)
	check("in one")
	clear(codes)
	clear(r.Scale)
	ObserveFloat(x, g, &r)
	p := r.params(0, groups)
	QuantizeFloat(codes, x, g, &p)
	check("observed")
	m := r.method()
	if !m.given() {
		clear(codes)
		p.Factor = nil
		QuantizeFloat(codes, x, g, &p)
		check("by scales alone")
	}

	// Fake-quantizing is quantizing and dequantizing, and the mask is what was not clipped.
	p.Factor = r.Factor
	y, mask, back := make([]T, len(x)), make([]byte, len(x)), make([]T, len(x))
	FakeQuantizeFloat(y, ByteMask(mask), x, g, &p)
	DequantizeFloat(back, codes, g, &p)
	for i := range x {
		group := i / length
		if want.skip != nil && want.skip(group) || want.free != nil && want.free(group) {
			continue
		}
		q := []float32{value(x[i])}
		quotients[T](&m, q, q, r.Factor[group])
		v := q[0]
		if v != v {
			continue // a NaN stays one, and its code is what the format has for it
		}
		if exactBits(y[i]) != exactBits(back[i]) {
			t.Fatalf("%s: element %d is %v fake-quantized and %v dequantized", name, i, value(y[i]), value(back[i]))
		}
		if inside := math.Abs(float64(v)) <= float64(r.Format.Max()); inside != (mask[i] == 1) {
			t.Fatalf("%s: mask[%d] is %d, the quotient %v", name, i, mask[i], v)
		}
	}
}

func exactBits[T Float](x T) uint32 { return math.Float32bits(value(x)) }

var dialectTypes = map[string]Format{"e4m3": E4M3FN, "e5m2": E5M2, "e2m3": E2M3, "e3m2": E3M2, "e2m1": E2M1Packed}

// packedOf returns a format's packed codes of codes that lie one to a byte.
func packedOf(f Format, codes []byte) []byte {
	packed := make([]byte, Uint6.Bytes(len(codes)))
	portablePack(packed, codes, Uint6)
	return packed
}

// An infinity has the largest of Model-Optimizer's powers of two, and the others of its group vanish.
func TestInfinityOfModelOpt(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		x, want, codes := make([]float32, 32), make([]byte, 32), make([]byte, 32)
		for i := range x {
			x[i] = float32(i) - 15.5
			if i < 16 {
				want[i] = 0x80
			}
		}
		x[3], want[3] = float32(math.Inf(-1)), 0xfe
		r := FloatRule{Format: E4M3FN, Dialect: ModelOpt, Scales: ScaleE8M0, Scale: make([]float32, 1)}
		DynamicFloat(codes, x, Grid{1, 1, 32}, &r)
		assert.Equal(t, float32(0x1p127), r.Scale[0])
		assert.Equal(t, want, codes)
	})
}

// finiteRows reports which groups are of a row without NaN and infinity.
func finiteRows[T Float](x []T, row, length int) func(group int) bool {
	odd := make([]bool, len(x)/row)
	for i := range odd {
		odd[i] = slices.ContainsFunc(x[i*row:][:row], func(v T) bool { return !(math.Abs(float64(value(v))) <= math.MaxFloat32) })
	}
	return func(group int) bool { return odd[group*length/row] }
}

// TestGoldenMX holds the rules for power-of-two scales against what the libraries returned.
func TestGoldenMX(t *testing.T) {
	table := openTable(t, "mx")
	x32 := golden.Values[float32](table["x.f32"])
	x16 := golden.Values[bf16.BFloat16](table["x.bf16"])
	forEachImplementation(t, func(t *testing.T) {
		checked := 0
		for name := range table {
			base, ok := strings.CutSuffix(name, ".scale")
			if !ok {
				continue
			}
			part := strings.Split(base, ".")
			want := expected{scales: table.bytes(t, name), codes: table.bytes(t, base+".data")}
			var r FloatRule
			switch part[0] {
			case "modelopt":
				r = FloatRule{Format: map[string]Format{"mxfp4": E2M1Packed, "mxfp8": E4M3FN}[part[1]], Dialect: ModelOpt, Scales: ScaleE8M0}
			case "ct":
				r = FloatRule{Format: map[string]Format{"mxfp4": E2M1Packed, "mxfp6": E2M3Packed, "mxfp8": E4M3FN}[part[1]], Dialect: CompressedTensors, Scales: ScaleE8M0}
			default:
				rule := slices.Index([]string{"FLOOR", "EVEN", "CEIL", "RCEIL"}, part[1])
				require.GreaterOrEqual(t, rule, 0, name)
				r = FloatRule{Format: dialectTypes[part[0]], Dialect: TorchAO, Scales: ScaleE8M0, Rule: ScaleRule(rule)}
				want.free = func(group int) bool { return want.scales[group] == 255 }
			}
			checked++
			if part[2] == "f32" {
				if r.Dialect != TorchAO {
					want.skip = finiteRows(x32, 256, 32)
				}
				checkRule(t, name, x32, 32, r, want)
			} else {
				if r.Dialect != TorchAO {
					want.skip = finiteRows(x16, 256, 32)
				}
				checkRule(t, name, x16, 32, r, want)
			}
			if r.Format == E2M3 || r.Format == E3M2 {
				packed := r
				packed.Format += E2M3Packed - E2M3
				want.codes = packedOf(packed.Format, want.codes)
				checkRule(t, name+" packed", x32, 32, packed, want)
			}
		}
		assert.Equal(t, 34, checked)
		for name, want := range table {
			base, ok := strings.CutSuffix(name, ".dequant")
			if !ok {
				continue
			}
			scales, codes := table.bytes(t, base+".scale"), table.bytes(t, base+".data")
			groups := len(want.Data) / 4 / 32
			p := FloatParams{Format: dialectTypes[strings.Split(base, ".")[0]], Dialect: TorchAO, Scales: ScaleE8M0, Scale: make([]float32, groups)}
			for i, s := range scales[len(scales)-groups:] { // of the last rows
				p.Scale[i] = fp8.E8M0(s).Float32()
			}
			y := make([]float32, groups*32)
			DequantizeFloat(y, codes[len(codes)-p.Format.Bytes(len(y)):], Grid{1, groups, 32}, &p)
			assert.Negative(t, want.Diff(golden.Bytes(y)), name)
		}
	})
}

// TestGoldenNVFP4 does the same for scales of E4M3FN.
func TestGoldenNVFP4(t *testing.T) {
	table := openTable(t, "nvfp4")
	forEachImplementation(t, func(t *testing.T) {
		checked := 0
		for name, x := range table {
			base, ok := strings.CutSuffix(name, ".x")
			if !ok {
				continue
			}
			if strings.HasSuffix(base, "bf16") {
				checked += checkNVFP4(t, table, base, golden.Values[bf16.BFloat16](x))
			} else {
				checked += checkNVFP4(t, table, base, golden.Values[float32](x))
			}
		}
		assert.Greater(t, checked, 300)
	})
}

func checkNVFP4[T Float](t *testing.T, table dialectTable, base string, x []T) (checked int) {
	most := float32(0)
	for _, v := range x {
		most = max(most, float32(math.Abs(float64(value(v))))) // a NaN stays
	}
	for _, c := range []struct {
		name    string
		dialect Dialect
		scales  ScaleType
	}{
		{"ao1", TorchAO, ScaleE4M3FN}, {"ao2", TorchAO, ScaleE4M3FNGlobal}, {"mo", ModelOpt, ScaleE4M3FNGlobal}, {"ct", CompressedTensors, ScaleE4M3FNGlobal},
	} {
		name := base + "." + c.name
		scales, ok := table[name+".scale"]
		if !ok {
			continue
		}
		checked++
		r := FloatRule{Format: E2M1Packed, Dialect: c.dialect, Scales: c.scales}
		want := expected{scales: scales.Data, codes: table.bytes(t, name+".data")}
		if c.dialect == TorchAO {
			want.free = func(group int) bool { return want.scales[group]&0x7f == 0x7f }
		}
		if c.scales == ScaleE4M3FNGlobal {
			want.global = GlobalScale[T](c.dialect, most)
			require.Negative(t, table[name+".global"].Diff(golden.Bytes([]float32{want.global})), "%s: global scale %v", name, want.global)
		}
		checkRule(t, name, x, 16, r, want)
		if c.dialect == CompressedTensors {
			r.Dialect = CompressedTensorsF32 // which is the same here
			checkRule(t, name, x, 16, r, want)
		}
		if back, ok := table[name+".dequant"]; ok {
			groups := len(x) / 16
			p := FloatParams{Format: E2M1Packed, Dialect: c.dialect, Scales: c.scales, Global: want.global, Scale: make([]float32, groups)}
			for i, s := range want.scales {
				p.Scale[i] = fp8.E4M3FN(s).Float32()
			}
			y, z := make([]bf16.BFloat16, len(x)), make([]float32, len(x))
			DequantizeFloat(y, want.codes, Grid{1, groups, 16}, &p)
			DequantizeFloat(z, want.codes, Grid{1, groups, 16}, &p)
			if back.DType.Bits() == 32 {
				require.Negative(t, back.Diff(golden.Bytes(z)), name)
			} else {
				require.Negative(t, back.Diff(golden.Bytes(y)), name)
			}
		}
	}
	return checked
}

// TestDialects holds all dialects against the tables of a model in numpy.
func TestDialects(t *testing.T) {
	table := openTable(t, "dialects")
	forEachImplementation(t, func(t *testing.T) {
		testDialects[float32](t, table, "f32")
		testDialects[bf16.BFloat16](t, table, "bf16")
		testIntDialects[float32](t, table, "f32")
		testIntDialects[bf16.BFloat16](t, table, "bf16")
		testIntDialects[float16.Float16](t, table, "f16")
	})
}

func testDialects[T Float](t *testing.T, table dialectTable, e string) {
	all, finite := golden.Values[T](table["mx."+e+".x"]), golden.Values[T](table["finite."+e+".x"])
	for i, rule := range []string{"floor", "even", "ceil", "rceil"} {
		for name, f := range dialectTypes {
			base := fmt.Sprintf("mx.%s.torchao.%s.%s", e, rule, name)
			want := expected{scales: table.bytes(t, base+".scale"), codes: table.bytes(t, base+".codes")}
			want.free = func(group int) bool { return want.scales[group] == 255 }
			checkRule(t, base, all, 32, FloatRule{Format: f, Dialect: TorchAO, Scales: ScaleE8M0, Rule: ScaleRule(i)}, want)
		}
	}
	for _, c := range []struct {
		name    string
		types   []string
		dialect Dialect
	}{{"modelopt", []string{"e2m1", "e4m3"}, ModelOpt}, {"compressed_tensors", []string{"e2m1", "e2m3", "e4m3"}, CompressedTensors}} {
		for _, f := range c.types {
			base := fmt.Sprintf("finite.%s.%s.%s", e, c.name, f)
			want := expected{scales: table.bytes(t, base+".scale"), codes: table.bytes(t, base+".codes")}
			checkRule(t, base, finite, 32, FloatRule{Format: dialectTypes[f], Dialect: c.dialect, Scales: ScaleE8M0}, want)
		}
	}
	for _, kind := range []string{"normal", "ties", "zero", "mixed", "huge", "tiny", "pow2"} {
		base := fmt.Sprintf("nv.%s.%s", e, kind)
		x := golden.Values[T](table[base+".x"])
		for _, c := range []struct {
			name    string
			dialect Dialect
			scales  ScaleType
		}{
			{"torchao1", TorchAO, ScaleE4M3FN}, {"torchao", TorchAO, ScaleE4M3FNGlobal},
			{"modelopt", ModelOpt, ScaleE4M3FNGlobal}, {"compressed_tensors", CompressedTensors, ScaleE4M3FNGlobal},
		} {
			name := base + "." + c.name
			want := expected{scales: table.bytes(t, name+".scale"), codes: table.bytes(t, name+".codes")}
			if c.scales == ScaleE4M3FNGlobal {
				want.global = golden.Values[float32](table[name+".global"])[0]
			}
			if c.dialect == TorchAO {
				want.free = func(group int) bool { return want.scales[group]&0x7f == 0x7f }
			}
			checkRule(t, name, x, 16, FloatRule{Format: E2M1Packed, Dialect: c.dialect, Scales: c.scales}, want)
		}
	}
	// Blocks of 128 times 128: eight rows of a block at a time are not one group of the kernels, so each block is put together.
	x := golden.Values[T](table["fp8."+e+".x"])
	for name, scales := range map[string]ScaleType{"float": ScaleAny, "e8m0": ScaleE8M0} {
		base := "fp8." + e + "." + name
		want := expected{values: golden.Values[float32](table[base+".scale"]), codes: table.bytes(t, base+".codes")}
		checkRule(t, base, x, 128*128, FloatRule{Format: E4M3FN, Dialect: Transformers, Scales: scales}, want) // 128 columns
	}
}

func testIntDialects[T Float](t *testing.T, table dialectTable, e string) {
	x := golden.Values[T](table["int."+e+".x"])
	groups := len(x) / 32
	g := Grid{1, groups, 32}
	for _, dialect := range []Dialect{CompressedTensors, CompressedTensorsF32} {
		name := map[Dialect]string{CompressedTensors: "compressed_tensors", CompressedTensorsF32: "compressed_tensors_f32"}[dialect]
		base := fmt.Sprintf("int.%s.%s.e4m3.sym", e, name)
		checkRule(t, base, x, 32, FloatRule{Format: E4M3FN, Dialect: dialect}, expected{values: golden.Values[float32](table[base+".scale"]), codes: table.bytes(t, base+".codes")})
		for _, bits := range []int{8, 4} {
			for _, sym := range []string{"sym", "asym"} {
				base := fmt.Sprintf("int.%s.%s.int%d.%s", e, name, bits, sym)
				r := IntRule{Min: -1 << (bits - 1), Max: 1<<(bits-1) - 1, Asymmetric: sym == "asym", Dialect: dialect, Scale: make([]float32, groups), ZeroPoint: make([]int32, groups)}
				codes, y, fake, mask := make([]int8, len(x)), make([]T, len(x)), make([]T, len(x)), make([]byte, len(x))
				ObserveInt(x, g, &r)
				require.Negative(t, table[base+".scale"].Diff(golden.Bytes(r.Scale)), base)
				if r.Asymmetric {
					require.Equal(t, golden.Values[int32](table[base+".zero_point"]), r.ZeroPoint, base)
				}
				p := IntParams{Min: r.Min, Max: r.Max, Dialect: dialect, Scale: r.Scale, ZeroPoint: r.ZeroPoint}
				QuantizeInt(codes, x, g, &p)
				require.Equal(t, table.bytes(t, base+".codes"), bytesOf(codes), base)
				clear(codes)
				DynamicInt(codes, x, g, &r)
				require.Equal(t, table.bytes(t, base+".codes"), bytesOf(codes), base)
				DequantizeInt(y, codes, g, &p)
				require.Negative(t, table[base+".dequant"].Diff(golden.Bytes(y)), base)
				FakeQuantizeInt(fake, ByteMask(mask), x, g, &p)
				require.Negative(t, table[base+".dequant"].Diff(golden.Bytes(fake)), base)
			}
		}
	}
	base := "torch." + e
	x = golden.Values[T](table[base+".x"])
	p := IntParams{Min: -128, Max: 127, Dialect: Torch, Scale: golden.Values[float32](table[base+".scale"]), ZeroPoint: golden.Values[int32](table[base+".zero_point"])}
	codes, y, mask := make([]int8, len(x)), make([]T, len(x)), make([]byte, len(x))
	QuantizeInt(codes, x, g, &p)
	require.Equal(t, table.bytes(t, base+".codes"), bytesOf(codes), base)
	FakeQuantizeInt(y, ByteMask(mask), x, g, &p)
	require.Negative(t, table[base+".y"].Diff(golden.Bytes(y)), base)
	require.Equal(t, table.bytes(t, base+".mask"), mask, base)
}

// TestCeilLog2 holds the ceiling of a rounded logarithm against its definition, beside every power of two.
func TestCeilLog2(t *testing.T) {
	for e := -127; e <= 127; e++ {
		base := math.Float32bits(float32(math.Ldexp(1, e)))
		for d := -3; d < 100; d++ {
			x := math.Float32frombits(uint32(int(base) + d))
			want := max(int(math.Ceil(float64(float32(math.Log2(float64(x)))))), -127)
			if got := ceilLog2(x); got != want {
				t.Fatalf("2^%d and %d: %d, want %d", e, d, got, want)
			}
		}
	}
	assert.Equal(t, -127, ceilLog2(0))
	assert.Equal(t, 128, ceilLog2(math.MaxFloat32))
}

// The scales that compressed-tensors 0.20.1 gives every magnitude of float16: those that are subnormal when they are rounded have 1, those that are
// infinite then are stored as 1 and make codes of 0.
func TestCompressedTensorsFloat16Powers(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		for _, c := range []struct {
			format      Format
			first, last int // bits of magnitudes
			power       int // of the first one's scale
		}{
			{E2M1Packed, 0x300, 0x7B00, -16},
			{E2M3, 0x3C0, 0x7BC0, -16},
			{E4M3FN, 0x300, 0x7B00, -22},
		} {
			x := make([]float16.Float16, 0x7C00*2)
			for i := range 0x7C00 {
				x[2*i], x[2*i+1] = float16.Frombits(uint16(i)), float16.Frombits(uint16(i)|0x8000)
			}
			scale, factor, codes := make([]float32, 0x7C00), make([]float32, 0x7C00), make([]byte, len(x))
			g := Grid{Rows: 1, Groups: len(scale), Len: 2}
			r := FloatRule{Format: c.format, Dialect: CompressedTensors, Scales: ScaleE8M0, Scale: scale, Factor: factor}
			if c.format == E2M1Packed {
				codes = codes[:len(scale)]
			}
			DynamicFloat(codes, x, g, &r)
			for i, s := range scale {
				want := float32(1)
				if i >= c.first && i < c.last {
					want = float32(math.Ldexp(1, c.power+(i-c.first)>>10))
				}
				require.Equal(t, want, s, "%v of %#x", c.format, i)
				if per := len(codes) / len(scale); i >= c.last {
					for _, code := range codes[i*per:][:per] {
						require.Zero(t, code&^0xA8, "%v of %#x", c.format, i)
					}
				}
			}
		}
	})
}
