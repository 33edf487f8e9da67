package checkpoint

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/race"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// ownSpecs are ways to quantize a tensor of shape [6, 4, 8].
var ownSpecs = []quant.Spec{
	{},
	{DType: quant.Int8, Scheme: quant.SymmetricWithClipping, Granularity: quant.PerChannel(0)},
	{DType: quant.Int4, Granularity: quant.PerBlock(-1, 4)},
	{DType: quant.Int4, Scheme: quant.Asymmetric, Granularity: quant.PerBlocks(2, 4, 8)},
	{DType: quant.Uint4, Granularity: quant.PerBlocks(3, 1, 4)},
	{DType: quant.Uint4, Scheme: quant.Asymmetric, Formulation: quant.MinVal, Granularity: quant.PerBlock(1, 2)},
	{DType: quant.Int2, Scheme: quant.Asymmetric, Granularity: quant.PerChannel(1)},
	{DType: quant.Uint2, Formulation: quant.MinVal, Granularity: quant.PerChannel(2)},
	{DType: quant.Uint8, Scheme: quant.Asymmetric, Granularity: quant.PerBlocks(-1, 2, -1)},
	{DType: quant.Float8E4M3FN, Granularity: quant.PerChannel(0)},
	{DType: quant.Float8E5M2, Granularity: quant.PerBlocks(1, 1, 8)},
	{DType: quant.Float8E4M3FN, ScaleDType: quant.ScaleE8M0, Granularity: quant.PerBlock(-1, 4)},
	{DType: quant.Float4E2M1FN, Granularity: quant.PerBlocks(1, 1, 4)},
}

// writeOwn quantizes a tensor and returns what is stored, its record, and its values.
func writeOwn[T kernels.Float](t *testing.T, spec quant.Spec, shape []int, packed, first bool) (tensors, Record, []byte) {
	r := rand.New(rand.NewPCG(7, 8))
	n := safetensors.ShapeOf(shape...).Elements()
	wide := make([]float32, n)
	for i := range wide {
		wide[i] = float32(r.NormFloat64())
	}
	x := quant.Tensor[T]{Data: make([]T, n), Shape: shape}
	narrow(x.Data, wide)
	q, err := quant.New[T](spec, quant.Weight)
	require.NoError(t, err)
	codes := quant.Codes{Packed: packed}
	require.NoError(t, q.Quantize(&codes, x))
	var values quant.Tensor[T]
	require.NoError(t, quant.Dequantize(&values, codes, 1))

	record := Record{Spec: spec, DType: dtypeOf[T](), Shape: safetensors.ShapeOf(shape...), Packed: packed && spec.DType.Bits() < 8, first: first}
	dtype, stored := record.Stored()
	all := tensors{"w": {dtype, stored.Dims(), codes.Data}}
	if first {
		all["w.scale"] = of(safetensors.F32, codes.Params.Shape, codes.Params.Scale...)
		if !spec.DType.IsFloat() {
			all["w.zero_point"] = of(safetensors.I32, codes.Params.Shape, codes.Params.ZeroPoint...)
			all["w.minval"] = of(safetensors.F32, codes.Params.Shape, codes.Params.MinVal...)
		}
		toggleEndian(values.Data)
		return all, record, bytesOf(values.Data)
	}
	for _, c := range record.Companions() {
		all["w"+c.Suffix] = raw{c.DType, c.Shape(safetensors.ShapeOf(codes.Params.Shape...)).Dims(), nil}
	}
	require.NoError(t, record.WriteParams(codes.Params, 0, func(suffix string, data []byte, off int64) error {
		x := all["w"+suffix]
		x.data = append(x.data, data...)
		all["w"+suffix] = x
		return nil
	}))
	toggleEndian(values.Data)
	return all, record, bytesOf(values.Data)
}

func TestOwnFiles(t *testing.T) {
	for i, spec := range ownSpecs {
		for _, packed := range []bool{false, true} {
			for _, first := range []bool{false, true} {
				for _, dtype := range []safetensors.DType{safetensors.F32, safetensors.F16, safetensors.BF16} {
					what := fmt.Sprintf("spec %d, packed %v, first edition %v, %v", i, packed, first, dtype)
					write := writeOwn[float32]
					switch dtype {
					case safetensors.F16:
						write = writeOwn[float16.Float16]
					case safetensors.BF16:
						write = writeOwn[bf16.BFloat16]
					}
					all, record, want := write(t, spec, []int{6, 4, 8}, packed, first)
					metadata, err := Records{"w": &record}.Metadata(map[string]string{"format": "pt"})
					require.NoError(t, err)
					if first {
						text, err := json.Marshal(map[string]any{"version": 1, "tensors": map[string]any{"w": map[string]any{
							"spec": spec, "dtype": dtype.String(), "shape": []int{6, 4, 8}, "packed": record.Packed}}})
						require.NoError(t, err)
						metadata["lowbit"] = string(text)
					}
					path := filepath.Join(t.TempDir(), "own.safetensors")
					writeFile(t, path, metadata, all)
					c := open(t, path)
					require.NoError(t, c.Err(), what)
					assert.Equal(t, "lowbit", c.Method())
					x := lookup(t, c, "w")
					assert.Equal(t, dtype, x.DType())
					assert.Len(t, c.Tensors(), 1)
					for _, rows := range []int{24, 1, 7} {
						require.Equal(t, want, readAs(t, x, dtype, rows), what)
					}
					codes, err := x.ReadCodes()
					require.NoError(t, err, what)
					var values quant.Tensor[float32]
					require.NoError(t, quant.Dequantize(&values, codes, 1), what)
					require.Equal(t, readAs(t, x, safetensors.F32, 24), floatBytes(values.Data), what)

					p, err := NewPlan(c, Dequantization{}, 100)
					require.NoError(t, err)
					assert.Equal(t, map[string]string{"format": "pt"}, headMetadata(t, p.Shards[0].Head))
					p, err = NewPlan(c, Dequantization{Select: func(*Tensor) bool { return false }}, 100)
					require.NoError(t, err)
					kept, err := parseRecords(headMetadata(t, p.Shards[0].Head)["lowbit"])
					require.NoError(t, err)
					assert.Contains(t, kept, "w")
				}
			}
		}
	}
}

// headMetadata is the __metadata__ of a file's beginning.
func headMetadata(t *testing.T, head []byte) map[string]string {
	t.Helper()
	var header struct {
		Metadata map[string]string `json:"__metadata__"`
	}
	require.NoError(t, json.Unmarshal(head[8:], &header))
	return header.Metadata
}

func TestOwnScheme(t *testing.T) {
	for want, spec := range map[string]quant.Spec{
		"lowbit int8, 8 bits, groups of 24x8":        {},
		"lowbit uint4, 4 bits, groups of 4x8":        {DType: quant.Uint4, Granularity: quant.PerChannel(0)},
		"lowbit int2, 2 bits, groups of 6x4":         {DType: quant.Int2, Granularity: quant.PerBlocks(3, 2, 4)},
		"lowbit int4, 4 bits, groups of 24x5":        {DType: quant.Int4, Granularity: quant.PerBlocks(-1, -1, 5).Partial()},
		"lowbit float8_e5m2, 8 bits, groups of 24x8": {DType: quant.Float8E5M2, Granularity: quant.PerBlocks(99, -1, -1).Partial()},
	} {
		all, record, _ := writeOwn[float32](t, spec, []int{6, 4, 8}, true, false)
		metadata, err := Records{"w": &record}.Metadata(nil)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "own.safetensors")
		writeFile(t, path, metadata, all)
		c := open(t, path)
		assert.Equal(t, want, lookup(t, c, "w").Scheme().String())
		assert.Equal(t, "file", c.Kind().String())
	}
}

func TestOwnScalar(t *testing.T) {
	all, record, want := writeOwn[float32](t, quant.Spec{DType: quant.Int4}, nil, true, false)
	metadata, err := Records{"w": &record}.Metadata(nil)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "own.safetensors")
	writeFile(t, path, metadata, all)
	w := lookup(t, open(t, path), "w")
	assert.Equal(t, want, readAs(t, w, safetensors.F32, 1))
	assert.Equal(t, "lowbit int4, 4 bits, groups of 1x1", w.Scheme().String())
}

// TestOwnLong reads tensors that are longer than what is worked on at a time, without memory of its own.
func TestOwnLong(t *testing.T) {
	nvfp4, err := quant.Preset("nvfp4")
	require.NoError(t, err)
	for i, c := range []struct {
		spec  quant.Spec
		shape []int
	}{
		{quant.Spec{}, []int{3, 70, 1000}},
		{quant.Spec{DType: quant.Uint2, Scheme: quant.Asymmetric, Granularity: quant.PerChannel(2)}, []int{3, 70, 1000}},
		{quant.Spec{DType: quant.Int4, Granularity: quant.PerBlocks(3, 1, 96).Partial()}, []int{3, 70, 1000}},
		{quant.Spec{DType: quant.Uint4, Scheme: quant.Asymmetric, Formulation: quant.MinVal, Granularity: quant.PerChannel(0)}, []int{7, 30001}},
		{quant.Spec{DType: quant.Float8E4M3FN, ScaleDType: quant.ScaleE8M0, Granularity: quant.PerBlock(-1, 32)}, []int{70, 3200}},
		{nvfp4, []int{70, 3200}},
	} {
		all, record, want := writeOwn[bf16.BFloat16](t, c.spec, c.shape, true, false)
		metadata, err := Records{"w": &record}.Metadata(nil)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "own.safetensors")
		writeFile(t, path, metadata, all)
		w := lookup(t, open(t, path), "w")
		require.Equal(t, want, readAs(t, w, safetensors.BF16, w.Rows()), "%d", i)
		if !race.Enabled { // which makes pools forget
			dst := make([]bf16.BFloat16, w.Elements())
			assert.Less(t, testing.AllocsPerRun(10, func() { assert.NoError(t, ReadRows(w, dst, 0)) }), 1.0, "%d", i)
		}
	}
}
