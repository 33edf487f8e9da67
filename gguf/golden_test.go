package gguf

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// goldenFile is a file of testdata. README.md there tells what they are.
type goldenFile struct {
	t *testing.T
	*safetensors.File
}

func openGolden(t *testing.T, name string) goldenFile {
	f, err := safetensors.Open("testdata/" + name)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return goldenFile{t, f}
}

func (f goldenFile) bytes(name string) []byte {
	b, err := f.ReadAll(name)
	require.NoError(f.t, err)
	return b
}

func (f goldenFile) floats(name string) []float32 { return floatsOf(f.bytes(name)) }

func floatsOf(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

func (f goldenFile) json(key string, value any) {
	require.NoError(f.t, json.Unmarshal([]byte(f.Metadata()[key]), value))
}

// forEachImplementation runs a test with every implementation of the kernels.
func forEachImplementation(t *testing.T, test func(t *testing.T)) {
	before := kernels.Implementation()
	defer kernels.Use(before)
	for _, impl := range kernels.Implementations() {
		t.Run(impl, func(t *testing.T) {
			require.NoError(t, kernels.Use(impl))
			test(t)
		})
	}
}

// The blocks of ggml, byte for byte: all rows that its validation lets into a file, and of the others those too whose scale is no NaN. In
// blocks with a NaN as scale, NaN-ness alone counts.
func TestGoldenQuantize(t *testing.T) {
	f := openGolden(t, "quantize.safetensors")
	x, im := f.floats("x"), f.floats("imatrix")
	var kinds []string
	f.json("rows", &kinds)
	valid := map[string]string{}
	f.json("valid", &valid)
	const row = 256
	forEachImplementation(t, func(t *testing.T) {
		for _, info := range f.Tensors() {
			name, weighed, _ := strings.Cut(info.Name, ".")
			typ, err := ParseType(name)
			if err != nil {
				continue // x and imatrix
			}
			b := Blocks{Type: typ, Row: row}
			if weighed != "" {
				b.Importance = im
			}
			want := f.bytes(info.Name)
			size := len(want) / len(kinds)
			for i, kind := range kinds {
				in := x[row*i : row*i+row]
				ok := valid[name] == "" || valid[name][i] == '1'
				if kind == "nonfinite" && (weighed != "" || typ.BlockLen() == 256 || typ == IQ4_NL) {
					in = make([]float32, row) // as the golden file's note says
				}
				got := make([]byte, size)
				Quantize(got, in, b)
				compareBlocks(t, typ, got, want[size*i:size*i+size], fmt.Sprintf("%s row %d (%s)", info.Name, i, kind), ok)
			}
		}
	})
}

// compareBlocks compares blocks; in those that are not valid a scale that is NaN frees all codes, and the sign of a NaN does not matter.
func compareBlocks(t *testing.T, typ Type, got, want []byte, what string, valid bool) {
	size := typ.BlockBytes()
	for at := 0; at < len(want); at += size {
		g, w := got[at:at+size], want[at:at+size]
		if !valid && hasNaN(typ, w) {
			require.True(t, hasNaN(typ, g), "%s, byte %d: want a NaN as scale: % x", what, at, g)
			continue
		}
		if typ == F16 && w[1]&0x7c == 0x7c && (w[1]&3 != 0 || w[0] != 0) {
			require.True(t, g[1]&0x7c == 0x7c && (g[1]&3 != 0 || g[0] != 0), what)
			continue
		}
		require.Equal(t, w, g, "%s, byte %d", what, at)
	}
}

// scalePlaces are where the blocks have scales of float16.
var scalePlaces = map[Type][]int{
	Q8_0: {0}, Q4_0: {0}, Q5_0: {0}, Q4_1: {0, 2}, Q5_1: {0, 2}, IQ4_NL: {0}, IQ4_XS: {0},
	Q2_K: {80, 82}, Q3_K: {108}, Q4_K: {0, 2}, Q5_K: {0, 2}, Q6_K: {208},
}

func hasNaN(typ Type, block []byte) bool {
	for _, at := range scalePlaces[typ] {
		if h := getHalf(block[at:]); h != h {
			return true
		}
	}
	return false
}

func TestGoldenDequantize(t *testing.T) {
	f := openGolden(t, "dequantize.safetensors")
	forEachImplementation(t, func(t *testing.T) {
		done := 0
		for _, typ := range Types() {
			if typ == F32 {
				continue
			}
			blocks, want := f.bytes(typ.String()+".blocks"), f.floats(typ.String()+".f32")
			got := make([]float32, len(want))
			Dequantize(got, blocks, Blocks{Type: typ})
			for i := range want {
				if want[i] == want[i] || got[i] == got[i] {
					require.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "%v, element %d: %v, want %v", typ, i, got[i], want[i])
				}
			}
			done++
		}
		require.Equal(t, 16, done)
	})
}
