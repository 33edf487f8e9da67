package quant_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lowbit-go/lowbit/internal/golden"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/require"
)

// TestONNX holds blocks that do not divide their axis, and codes of 16 bits, against onnxruntime.
func TestONNX(t *testing.T) {
	type params struct{ DType, Gran string }
	cases, err := golden.Calibration("onnx_qdq")
	require.NoError(t, err)
	granularities := map[string]string{
		"tensor": `{"type":"per_tensor"}`, "axis": `{"type":"per_channel","axis":0}`,
		"block-last": `{"type":"per_block","axis":1,"block_size":32,"partial":true}`, "block-first": `{"type":"per_block","axis":0,"block_size":32,"partial":true}`,
		"block-mid": `{"type":"per_block","block_size":[1,4,1],"partial":true}`,
	}
	quant.ShareEvery(t, 64)
	onEach(t, func(t *testing.T) {
		for _, c := range cases {
			var of params
			require.NoError(t, json.Unmarshal(c.Params, &of))
			in := c.Tensor("x")
			x := quant.Tensor[float32]{Data: golden.Values[float32](in), Shape: in.Shape}
			spec, err := quant.ParseSpec(fmt.Appendf(nil, `{"dtype":%q,"qscheme":"asymmetric","granularity":%s}`, of.DType, granularities[of.Gran]))
			require.NoError(t, err)
			groups, err := spec.Granularity.Groups(x.Shape, quant.Weight)
			require.NoError(t, err)
			p := quant.Params{Shape: groups, Scale: golden.Values[float32](c.Tensor("scale"))}
			switch z := c.Tensor("zero_point"); of.DType {
			case "int8":
				p.ZeroPoint = integers(golden.Values[int8](z))
			case "uint8":
				p.ZeroPoint = integers(golden.Values[uint8](z))
			case "int16":
				p.ZeroPoint = integers(golden.Values[int16](z))
			default:
				p.ZeroPoint = integers(golden.Values[uint16](z))
			}
			q, err := quant.NewGiven[float32](spec, quant.Weight, p)
			require.NoError(t, err, c.Name)
			for q.Workers = 1; q.Workers <= 8; q.Workers++ {
				var codes quant.Codes
				require.NoError(t, q.Quantize(&codes, x))
				require.Equal(t, c.Tensor("codes").Data, codes.Data, c.Name)
				var y, fake quant.Tensor[float32]
				require.NoError(t, quant.Dequantize(&y, codes, q.Workers))
				require.Negative(t, c.Tensor("back").Diff(golden.Bytes(y.Data)), c.Name)
				require.NoError(t, q.FakeQuantize(&fake, x, nil))
				require.Negative(t, c.Tensor("back").Diff(golden.Bytes(fake.Data)), c.Name)
			}
		}
	})
}

// TestCompressedTensorsBlocks holds blocks of two axes, which divide neither, against compressed-tensors.
func TestCompressedTensorsBlocks(t *testing.T) {
	cases, err := golden.Calibration("ct_block")
	require.NoError(t, err)
	quant.ShareEvery(t, 64)
	onEach(t, func(t *testing.T) {
		for _, c := range cases {
			var of struct {
				Sym   bool
				Block []int
			}
			require.NoError(t, json.Unmarshal(c.Params, &of))
			scheme := "asymmetric"
			if of.Sym {
				scheme = "symmetric"
			}
			in := c.Tensor("x")
			x := quant.Tensor[float32]{Data: golden.Values[float32](in), Shape: in.Shape}
			for workers := 1; workers <= 8; workers++ {
				q := mustNew[float32](t, fmt.Sprintf(`{"dtype":"int8","qscheme":%q,"dialect":"compressed_tensors","granularity":{"type":"per_block","block_size":[%d,%d],"partial":true}}`,
					scheme, of.Block[0], of.Block[1]), quant.Weight)
				q.Workers = workers
				var y quant.Tensor[float32]
				require.NoError(t, q.FakeQuantize(&y, x, nil))
				p, err := q.Params()
				require.NoError(t, err)
				require.Equal(t, c.Tensor("scale").Shape, p.Shape, c.Name)
				require.Negative(t, c.Tensor("scale").Diff(golden.Bytes(p.Scale)), c.Name)
				require.Equal(t, golden.Values[int32](c.Tensor("zero_point")), p.ZeroPoint, c.Name)
				require.Equal(t, golden.Values[float32](c.Tensor("y")), y.Data, c.Name)
			}
		}
	})
}

// TestBitsAndBytesMagnitudes finds the ends of blocks of which the last holds what is left, against bitsandbytes' largest magnitudes.
func TestBitsAndBytesMagnitudes(t *testing.T) {
	cases, err := golden.Calibration("bnb")
	require.NoError(t, err)
	quant.ShareEvery(t, 64)
	onEach(t, func(t *testing.T) {
		for _, c := range cases {
			var of struct{ Block int }
			require.NoError(t, json.Unmarshal(c.Params, &of))
			in := c.Tensor("x")
			for workers := 1; workers <= 8; workers++ {
				q := mustNew[float32](t, fmt.Sprintf(`{"granularity":{"type":"per_block","axis":0,"block_size":%d,"partial":true}}`, of.Block), quant.Weight)
				q.Workers = workers
				require.NoError(t, q.Observe(quant.Tensor[float32]{Data: golden.Values[float32](in), Shape: in.Shape}))
				p, err := q.Params()
				require.NoError(t, err)
				var scales []float32
				for _, m := range golden.Values[float32](c.Tensor("absmax")) {
					scales = append(scales, m/127.5)
				}
				require.Equal(t, scales, p.Scale, c.Name)
			}
		}
	})
}

func integers[E int8 | uint8 | int16 | uint16](values []E) []int32 {
	var all []int32
	for _, v := range values {
		all = append(all, int32(v))
	}
	return all
}

// TestPartial takes each block as a tensor of its own: the parameters, codes and values are the same.
func TestPartial(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for _, c := range []struct{ shape, sizes []int }{
		{[]int{100}, []int{32}}, {[]int{7}, []int{32}}, {[]int{5, 70}, []int{1, 32}}, {[]int{70, 6}, []int{32, 1}}, {[]int{70, 6}, []int{32, -1}},
		{[]int{40, 70}, []int{16, 32}}, {[]int{3, 10, 7}, []int{1, 4, 7}}, {[]int{5, 4, 9}, []int{2, 3, 4}}, {[]int{64, 8}, []int{32, 8}},
	} {
		for _, dtype := range []string{"int8", "uint6", "int4", "float8_e4m3fn"} {
			for _, packed := range []bool{false, true} {
				what := fmt.Sprintf("%s, %v in %v, packed %t", dtype, c.shape, c.sizes, packed)
				q := mustNew[float32](t, fmt.Sprintf(`{"dtype":%q,"granularity":{"type":"per_block","block_size":%s,"partial":true}}`,
					dtype, strings.ReplaceAll(fmt.Sprint(c.sizes), " ", ",")), quant.Weight)
				x := random[float32](r, false, c.shape...)
				codes := quant.Codes{Packed: packed}
				require.NoError(t, q.Quantize(&codes, x), what)
				var fake, back quant.Tensor[float32]
				mask := quant.Mask{Kind: quant.BitMask}
				require.NoError(t, q.FakeQuantize(&fake, x, &mask), what)
				require.NoError(t, quant.Dequantize(&back, codes, 1), what)
				requireSame(t, what, fake.Data, back.Data)

				p, err := quant.NewPieces[float32](q.Spec(), quant.Weight, x.Shape, packed)
				require.NoError(t, err)
				for part := range p.Parts(64) {
					var r quant.Ranges
					for piece := range p.Cut(part, 64) {
						require.NoError(t, p.Observe(&r, piece, x.Data[piece.First:][:piece.Len]))
					}
					params, err := p.Params(&r, part)
					require.NoError(t, err)
					require.Equal(t, codes.Params.Scale[part.Group:][:part.Groups], params.Scale, what)
					for piece := range p.Cut(part, 64) {
						bytes := make([]byte, piece.Bytes)
						require.NoError(t, p.QuantizeBy(params, bytes, piece, x.Data[piece.First:][:piece.Len]))
						require.Equal(t, codes.Data[piece.Byte:][:piece.Bytes], bytes, what)
					}
				}

				one := mustNew[float32](t, fmt.Sprintf(`{"dtype":%q,"qparam_calculator_cls":"dynamic"}`, dtype), quant.Activation)
				for g, where := range blocksOf(c.shape, c.sizes) {
					var block, y quant.Tensor[float32]
					for _, i := range where {
						block.Data = append(block.Data, x.Data[i])
					}
					block.Shape = []int{len(block.Data)}
					require.NoError(t, one.FakeQuantize(&y, block, nil))
					params, err := one.Params()
					require.NoError(t, err)
					require.Equal(t, params.Scale[0], codes.Params.Scale[g], "%s: block %d", what, g)
					for k, i := range where {
						require.Equal(t, y.Data[k], fake.Data[i], "%s: element %d", what, i)
					}
				}
			}
		}
	}
}

// blocksOf lists the elements of each block of a shape.
func blocksOf(shape, sizes []int) [][]int {
	var all [][]int
	number := map[string]int{}
	var keys []string
	elements := map[string][]int{}
	n := 1
	for _, d := range shape {
		n *= d
	}
	for i := range n {
		key, rest := "", i
		for a := len(shape) - 1; a >= 0; a-- {
			size := sizes[a]
			if size == -1 {
				size = shape[a]
			}
			key = fmt.Sprintf("%06d ", rest%shape[a]/size) + key
			rest /= shape[a]
		}
		if _, ok := number[key]; !ok {
			number[key] = len(keys)
			keys = append(keys, key)
		}
		elements[key] = append(elements[key], i)
	}
	slices.Sort(keys)
	for _, key := range keys {
		all = append(all, elements[key])
	}
	return all
}
