package checkpoint

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
