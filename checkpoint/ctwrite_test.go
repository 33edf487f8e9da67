package checkpoint

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// goldenSchemes are the folders of testdata/ct by the presets that give what they hold.
var goldenSchemes = map[string]string{
	"w8a8": "W8A8", "w4a16": "W4A16", "w4a16-asym": "W4A16_ASYM", "fp8-dynamic": "FP8_DYNAMIC", "fp8-block": "FP8_BLOCK", "nvfp4": "NVFP4", "mxfp4": "MXFP4A16",
}

// convert runs a converter in pieces of at most so many bytes, and checks that they cover each output exactly.
func convert(t testing.TB, c Converter, most int64) (tensors, error) {
	t.Helper()
	all, written := tensors{}, map[string][]bool{}
	outputs := c.Outputs()
	for _, o := range outputs {
		size := o.Shape.Elements() * o.DType.Bits() / 8
		all[o.Name] = raw{o.DType, o.Shape.Dims(), make([]byte, size)}
		written[o.Name] = make([]bool, size)
	}
	var s Scratch
	for p := range c.Pieces(most) {
		results, err := c.Do(&s, p)
		if err != nil {
			return nil, err
		}
		require.Len(t, results, len(p.Runs))
		for i, r := range p.Runs {
			require.Len(t, results[i], int(r.Size))
			name := outputs[r.Output].Name
			copy(all[name].data[r.Offset:][:r.Size], results[i])
			for k := range r.Size {
				if written[name][r.Offset+k] {
					t.Fatalf("%s: byte %d twice", name, r.Offset+k)
				}
				written[name][r.Offset+k] = true
			}
		}
	}
	for name, w := range written {
		require.NotContains(t, w, false, name)
	}
	return all, nil
}

func TestCompressedTensorsWriteGolden(t *testing.T) {
	source := open(t, "testdata/ct/source")
	for preset, scheme := range goldenSchemes {
		want := loadFile(t, filepath.Join("testdata/ct", scheme, "model.safetensors"))
		for name := range want {
			if strings.HasSuffix(name, ".input_global_scale") {
				delete(want, name) // needs activations
			}
		}
		for _, most := range []int64{1, 5000, 1 << 30} {
			got := tensors{}
			for _, x := range source.Tensors() {
				if !strings.Contains(x.Name(), "_proj") {
					got[x.Name()] = raw{x.DType(), x.Shape(), readAs(t, x, safetensors.BF16, 100)}
					continue
				}
				c, err := newCTWriter(x, ctPresets[preset], ctPresets[preset].choice())
				require.NoError(t, err)
				outputs, err := convert(t, c, most)
				require.NoError(t, err)
				for name, o := range outputs {
					got[name] = o
				}
			}
			assert.Equal(t, len(want), len(got), preset)
			for name, w := range want {
				require.Equal(t, w, got[name], "%s %s", preset, name)
			}
		}
	}
}

// TestCompressedTensorsFormulas holds the writers against the library's steps, done one after the other with single numbers: zeros of both signs, the
// least and the greatest numbers, groups of nothing else, rows and blocks that are cut short.
func TestCompressedTensorsFormulas(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for preset, p := range ctPresets {
		shapes := [][]int{{1, 128}, {9, 384}, {17, 128}}
		if p.weights.group == 0 {
			shapes = [][]int{{1, 1}, {7, 201}, {130, 257}}
		}
		for _, shape := range shapes {
			for range 3 {
				testFormulas[float32](t, r, preset, shape, safetensors.F32, math.MaxFloat32, -149)
				testFormulas[float16.Float16](t, r, preset, shape, safetensors.F16, 65504, -24)
				testFormulas[bf16.BFloat16](t, r, preset, shape, safetensors.BF16, bf16.Max, -133)
			}
		}
	}
}

func testFormulas[T kernels.Float](t *testing.T, r *rand.Rand, preset string, shape []int, dtype safetensors.DType, most float64, least int) {
	t.Helper()
	p := ctPresets[preset]
	if !p.weights.symmetric {
		most /= 2 // so that greatest and least have a difference
	}
	rows, cols := shape[0], shape[1]
	x := make([]float32, rows*cols)
	_, last := math.Frexp(most)
	for first := 0; first < len(x); first += 16 {
		kind, exponent := r.IntN(8), least+r.IntN(last-least+1)
		for i := range x[first:min(first+16, len(x))] {
			v := math.Ldexp(r.NormFloat64(), exponent)
			switch {
			case kind == 0 || r.IntN(16) == 0:
				v = 0
			case kind == 1:
				v = math.Ldexp(1, least)
			case kind == 2 && r.IntN(4) == 0:
				v = most
			case r.IntN(16) == 0:
				v = math.Ldexp(v, -r.IntN(20))
			}
			x[first+i] = roundTo[T](float32(math.Copysign(min(math.Abs(v), most), r.NormFloat64())))
		}
	}
	stored := make([]T, len(x))
	narrow(stored, x)
	w := lookup(t, open(t, folder(t, "", tensors{"m.weight": of(dtype, shape, stored...)})), "m.weight")
	c, err := newCTWriter(w, p, p.choice())
	require.NoError(t, err)
	want := formulas[T](p, x, rows, cols)
	for _, pieces := range []int64{1, 1000, 1 << 20} {
		got, err := convert(t, c, pieces)
		require.NoError(t, err, "%s of %v", preset, dtype)
		for name, data := range want {
			require.Equal(t, data, got["m."+name].data, "%s of %v %v: %s", preset, dtype, shape, name)
		}
		require.Len(t, got, len(want), preset)
	}
}

// formulas quantizes one number after the other. All operations but those of nvfp4's elements are rounded to T:
//
//	integers     s = max(-min, max) / H, H half of the number of codes less 1; 0 becomes eps
//	             q = round(clamp(x / s))
//	asymmetric   s = (max - min) / 15    z = round(clamp(-8 - min/s))    q = round(clamp(x/s + z))
//	fp8          s = max(-min, max) / 448    q = e4m3(clamp(x / s))
//	nvfp4        G = 1/absmax * 2688    s = e4m3(G * (m / 6)), 0 becomes 1/8    q = e2m1(clamp(x / (s/G)))
//	mxfp4        s = 2^(floor(log2(m')) - 2), m' the largest magnitude of the block rounded to one bit of mantissa, as a T: 1 where it becomes 0
//	             q = e2m1(clamp(x / s))
func formulas[T kernels.Float](p ctPreset, x []float32, rows, cols int) map[string][]byte {
	blockRows, blockCols := 1, cols
	switch {
	case p.weights.block != nil:
		blockRows, blockCols = p.weights.block[0], p.weights.block[1]
	case p.weights.group > 0:
		blockCols = p.weights.group
	}
	eps := float32(0x1p-23)
	tiny := float32(0x1p-126)
	switch any(*new(T)).(type) {
	case float16.Float16:
		eps, tiny = 0x1p-10, 0x1p-14
	case bf16.BFloat16:
		eps = 0x1p-7
	}
	all := float32(0)
	for _, x := range x {
		all = max(all, x, -x)
	}
	global := roundTo[T](roundTo[T](1/max(all, tiny)) * 2688)
	if math.IsInf(float64(global), 0) {
		global = 1
	}
	groupCols := (cols + blockCols - 1) / blockCols
	zeros := make([]uint32, (rows+7)/8*groupCols)
	codes := make([]byte, len(x))
	var scales, scaleCodes []byte
	for top := 0; top < rows; top += blockRows {
		for left := 0; left < cols; left += blockCols {
			var group []int
			low, high := float32(0), float32(0)
			for r := top; r < min(top+blockRows, rows); r++ {
				for c := left; c < min(left+blockCols, cols); c++ {
					group = append(group, r*cols+c)
					low, high = min(low, x[r*cols+c]), max(high, x[r*cols+c])
				}
			}
			m := max(-low, high)
			var s, z float32
			round := roundTo[T]
			switch {
			case p.format == ctNVFP4:
				c := fp8.E4M3FNFromFloat32Sat(global * roundTo[T](m/6))
				if c.Float32() == 0 {
					c = fp8.E4M3FNFromFloat32(0.125)
				}
				scaleCodes = append(scaleCodes, uint8(c))
				s = c.Float32() / global
				round = func(x float32) float32 { return x }
			case p.format == ctMXFP4:
				exponent := int((math.Float32bits(m) + 1<<21) >> 23)
				if _, half := any(*new(T)).(float16.Float16); half {
					switch exponent = int((float16.Fromfloat32(m).Bits()+1<<8)>>10) + 112; exponent {
					case 112: // a scale of 1
						exponent = 129
					case 143:
						exponent = 255
					}
				}
				e := max(exponent-2, 0)
				s = roundTo[T](float32(math.Ldexp(1, e-127)))
				if exponent == 255 {
					e, s = 127, float32(math.Inf(1))
				}
				scaleCodes = append(scaleCodes, uint8(e))
			case !p.weights.symmetric:
				s = roundTo[T](roundTo[T](high-low) / 15)
				if z = roundTo[T](-8 - roundTo[T](low/s)); z != z {
					z = 0
				}
				z = float32(math.RoundToEven(float64(min(max(z, -8), 7))))
				zeros[top/8*groupCols+left/blockCols] |= uint32(int(z)+8) << (top % 8 * 4)
			case p.weights.kind == "int":
				s = roundTo[T](m / (float32(int(1)<<p.weights.bits-1) / 2))
			default:
				s = roundTo[T](m / 448)
			}
			if s == 0 {
				s = eps
			}
			stored := make([]T, 1)
			narrow(stored, []float32{s})
			toggleEndian(stored)
			scales = append(scales, bytesOf(stored)...)
			for _, i := range group {
				y := round(x[i] / s)
				switch {
				case p.weights.kind == "int":
					most := float32(int(1) << (p.weights.bits - 1))
					codes[i] = uint8(int8(math.RoundToEven(float64(min(max(roundTo[T](y+z), -most), most-1)))))
				case p.weights.bits == 8:
					codes[i] = uint8(fp8.E4M3FNFromFloat32Sat(min(max(y, -448), 448)))
				default:
					codes[i] = uint8(fp4.E2M1FromFloat32(y + 0)) // -0 has no sign
				}
			}
		}
	}
	if p.weights.bits == 4 {
		for i := range len(codes) / 2 {
			codes[i] = codes[2*i]&15 | codes[2*i+1]<<4
		}
		codes = codes[:len(codes)/2]
	}
	words := func(elements []uint32) []byte { toggleEndian(elements); return bytesOf(elements) }
	switch p.format {
	case ctNVFP4:
		return map[string][]byte{"weight_packed": codes, "weight_scale": scaleCodes, "weight_global_scale": words([]uint32{math.Float32bits(global)})}
	case ctMXFP4:
		return map[string][]byte{"weight_packed": codes, "weight_scale": scaleCodes}
	case ctPack:
		for i := range codes {
			codes[i] ^= 0x88 // the least code is 0
		}
		want := map[string][]byte{"weight_packed": codes, "weight_scale": scales, "weight_shape": words([]uint32{uint32(rows), 0, uint32(cols), 0})}
		if !p.weights.symmetric {
			want["weight_zero_point"] = words(zeros)
		}
		return want
	}
	return map[string][]byte{"weight": codes, "weight_scale": scales}
}

// roundTo rounds to T.
func roundTo[T kernels.Float](x float32) float32 {
	switch any(*new(T)).(type) {
	case float16.Float16:
		return float16.Fromfloat32(x).Float32()
	case bf16.BFloat16:
		return bf16.FromFloat32(x).Float32()
	}
	return x
}

// What compressed-tensors does not allow is refused, whether a part is done at once or in pieces.
func TestCompressedTensorsNonFinite(t *testing.T) {
	for preset, p := range ctPresets {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			x := make([]float32, 2*1280)
			for i := range x {
				x[i] = float32(i - 1000)
			}
			x[2000] = bad
			w := lookup(t, open(t, folder(t, "", tensors{"m.weight": of(safetensors.F32, []int{2, 1280}, x...)})), "m.weight")
			c, err := newCTWriter(w, p, p.choice())
			require.NoError(t, err)
			for _, most := range []int64{1, 1 << 20} {
				_, err := convert(t, c, most)
				require.ErrorContains(t, err, "which compressed-tensors does not allow", "%s %v", preset, bad)
				require.ErrorContains(t, err, `tensor "m.weight"`)
			}
		}
	}
	wide := of(safetensors.F16, []int{1, 128}, append(make([]float16.Float16, 126), float16.Fromfloat32(65504), float16.Fromfloat32(-65504))...)
	w := lookup(t, open(t, folder(t, "", tensors{"m.weight": wide})), "m.weight")
	for preset, p := range ctPresets {
		c, err := newCTWriter(w, p, p.choice())
		require.NoError(t, err)
		if _, err = convert(t, c, 1<<20); p.weights.symmetric {
			require.NoError(t, err, preset)
		} else {
			require.ErrorContains(t, err, "has a scale that is +Inf in F16, which compressed-tensors does not allow")
		}
	}
}
