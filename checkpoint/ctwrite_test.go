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
				c, err := newCTWriter(x, ctPresets[preset])
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

// TestFP4 holds the short way against the long one, with zeros of both signs, numbers that are rounded to zero, and scales of all sizes.
func TestFP4(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, preset := range []string{"nvfp4", "mxfp4"} {
		for _, dtype := range []safetensors.DType{safetensors.F32, safetensors.F16, safetensors.BF16} {
			for exponent := -40; exponent <= 40; exponent += 5 {
				if dtype == safetensors.F16 && (exponent < -20 || exponent > 10) {
					continue
				}
				wide := make([]float32, 8*64)
				for i := range wide {
					wide[i] = float32(math.Ldexp(r.NormFloat64(), exponent-r.IntN(12)))
					if r.IntN(8) == 0 {
						wide[i] = float32(math.Copysign(0, r.NormFloat64()))
					}
				}
				var x raw
				switch dtype {
				case safetensors.F16:
					half := make([]float16.Float16, len(wide))
					narrow(half, wide)
					x = of(dtype, []int{8, 64}, half...)
				case safetensors.BF16:
					half := make([]bf16.BFloat16, len(wide))
					narrow(half, wide)
					x = of(dtype, []int{8, 64}, half...)
				default:
					x = of(dtype, []int{8, 64}, wide...)
				}
				w := lookup(t, open(t, folder(t, "", tensors{"m.weight": x})), "m.weight")
				c, err := newCTWriter(w, ctPresets[preset])
				require.NoError(t, err)
				got, err := convert(t, c, 1000)
				require.NoError(t, err)
				var want []uint8
				switch c := c.(type) {
				case *ctWriter[float32]:
					want = longFP4(t, c)
				case *ctWriter[float16.Float16]:
					want = longFP4(t, c)
				case *ctWriter[bf16.BFloat16]:
					want = longFP4(t, c)
				}
				require.Equal(t, want, got["m.weight_packed"].data, "%s of %v, 2^%d", preset, dtype, exponent)
			}
		}
	}
}

// longFP4 divides and rounds one step after the other.
func longFP4[T kernels.Float](t *testing.T, w *ctWriter[T]) []uint8 {
	var s Scratch
	_, err := w.Do(&s, Piece{Rows: w.rows, Runs: nil})
	require.NoError(t, err)
	x := make([]T, w.rows*w.cols)
	require.NoError(t, ReadRows(w.t, x, 0))
	return w.codes(&s, x, lend[float32](&s.params, w.rows*w.groupCols), nil, w.pairs)
}
