package quant_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bits are a fuzzer's data, from which a test draws what it needs; it is followed by zeros.
type fuzzBits []byte

func (b *fuzzBits) byte() byte {
	if len(*b) == 0 {
		return 0
	}
	x := (*b)[0]
	*b = (*b)[1:]
	return x
}

// below returns a number from 0 to n-1.
func (b *fuzzBits) below(n int) int { return int(b.byte()) % n }

// any returns any number, most often a small one.
func (b *fuzzBits) any() int {
	switch x := int(int8(b.byte())); {
	case x == 127:
		return math.MaxInt
	case x == -128:
		return math.MinInt
	case x%8 == 7:
		return x << (bits.UintSize * 5 / 8)
	default:
		return x / 8
	}
}

func (b *fuzzBits) float() float32 {
	var x [4]byte
	for i := range x {
		x[i] = b.byte()
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(x[:]))
}

// shape returns a shape of few elements.
func (b *fuzzBits) shape() []int {
	shape := make([]int, b.below(4))
	for i := range shape {
		shape[i] = b.below(9)
	}
	return shape
}

// anyShape returns anything that a shape might be taken for.
func (b *fuzzBits) anyShape() []int {
	shape := make([]int, b.below(4))
	for i := range shape {
		shape[i] = b.any()
	}
	return shape
}

// spec returns a spec, which may not be valid.
func (b *fuzzBits) spec() quant.Spec {
	g := []quant.Granularity{quant.PerTensor(), quant.PerChannel(b.any()), quant.PerBlock(b.any(), b.any()), quant.PerBlocks(b.anyShape()...)}[b.below(4)]
	return quant.Spec{DType: quant.DType(b.below(16)), Scheme: quant.Scheme(b.below(4)), Formulation: quant.Formulation(b.below(3)),
		ScaleDType: quant.ScaleDType(b.below(3)), Granularity: g}
}

// params returns parameters, as many as there are groups more often than not.
func (b *fuzzBits) params() (p quant.Params) {
	p.Shape = b.shape()
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	length := func() int {
		if b.below(8) == 7 {
			return b.below(9)
		}
		return n
	}
	for range length() {
		p.Scale = append(p.Scale, b.float())
	}
	if b.below(2) == 1 {
		for range length() {
			p.ZeroPoint = append(p.ZeroPoint, int32(b.any()))
		}
	}
	if b.below(2) == 1 {
		for range length() {
			p.MinVal = append(p.MinVal, b.float())
		}
	}
	return p
}

// requireKind fails unless an error is one of this package's.
func requireKind(t *testing.T, err error) {
	t.Helper()
	var e *quant.Error
	require.ErrorAs(t, err, &e)
	for _, kind := range []error{quant.ErrSpec, quant.ErrShape, quant.ErrParams, quant.ErrState, quant.ErrNotObserved, quant.ErrDisabled, quant.ErrFixed} {
		if errors.Is(err, kind) {
			return
		}
	}
	require.Failf(t, "of no kind", "%v", err)
}

func addSeeds(f *testing.F) {
	r := newBytes(1)
	for n := range 60 {
		f.Add(r(4 * n))
	}
}

// newBytes returns a source of bytes.
func newBytes(seed uint64) func(n int) []byte {
	return func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			seed = seed*6364136223846793005 + 1442695040888963407
			b[i] = byte(seed >> 56)
		}
		return b
	}
}

// FuzzDequantize: codes from anywhere are refused or have values, the same at once and piece by piece.
func FuzzDequantize(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b := fuzzBits(data)
		c := quant.Codes{Spec: b.spec(), Shape: b.shape(), Packed: b.below(2) == 1, Params: b.params()}
		if b.below(16) == 15 {
			c.Shape = b.anyShape()
		} else {
			n := 1
			for _, d := range c.DataShape() {
				n *= d
			}
			if b.below(16) == 15 {
				n = b.below(20)
			}
			for range n {
				c.Data = append(c.Data, b.byte())
			}
		}
		var y quant.Tensor[float32]
		err := quant.Dequantize(&y, c, 1)
		p, errPieces := quant.PiecesOf[float32](c)
		if err != nil {
			requireKind(t, err)
			assert.Nil(t, y.Data)
		}
		if errPieces != nil {
			requireKind(t, errPieces)
			require.Error(t, err, "pieces of it were refused")
			return
		}
		got := make([]float32, len(y.Data))
		for part := range p.Parts(1 + b.below(20)) {
			for piece := range p.Cut(part, 64) {
				params := quant.Params{Scale: among(c.Params.Scale, part), ZeroPoint: among(c.Params.ZeroPoint, part), MinVal: among(c.Params.MinVal, part)}
				if piece.Byte+piece.Bytes > len(c.Data) || piece.First+piece.Len > len(got) {
					require.Error(t, err)
					return
				}
				errPiece := p.Dequantize(got[piece.First:][:piece.Len], piece, c.Data[piece.Byte:][:piece.Bytes], params)
				if errPiece != nil {
					requireKind(t, errPiece)
					require.Error(t, err, "a piece of it was refused")
					return
				}
			}
		}
		if err == nil {
			requireSame(t, "piece by piece", y.Data, got)
		}
		for _, other := range []func() (quant.Codes, error){c.Pack, c.Unpack} {
			if changed, err := other(); err == nil && !slices.Contains([]quant.DType{quant.Float4E2M1FN}, c.Spec.DType) {
				var same quant.Tensor[float32]
				if quant.Dequantize(&same, changed, 1) == nil && c.Packed {
					requireSame(t, "packed or not", y.Data, same.Data)
				}
			}
		}
	})
}

// among returns the parameters of a part, if there are any.
func among[E any](all []E, part quant.Part) []E {
	if len(all) < part.Group+part.Groups {
		return nil
	}
	return all[part.Group:][:part.Groups]
}

// FuzzPieces: no part that is made up makes a method panic, and what is quantized by parts has the codes that the tensor has at once.
func FuzzPieces(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b := fuzzBits(data)
		spec, shape, packed := b.spec(), b.shape(), b.below(2) == 1
		p, err := quant.NewPieces[float32](spec, quant.Weight, shape, packed)
		q, errWhole := quant.New[float32](spec, quant.Weight)
		if err != nil {
			requireKind(t, err)
			return
		}
		require.NoError(t, errWhole)
		x := quant.Tensor[float32]{Shape: shape, Data: make([]float32, p.Whole().Len)}
		for i := range x.Data {
			x.Data[i] = b.float()
		}
		want := quant.Codes{Packed: packed}
		require.NoError(t, q.Quantize(&want, x))
		got := make([]byte, len(want.Data))
		for part := range p.Parts(1 + b.below(30)) {
			var params quant.Params
			in, out := x.Data[part.First:][:part.Len], got[part.Byte:][:part.Bytes]
			if b.below(2) == 0 {
				require.NoError(t, p.Quantize(out, &params, part, in))
			} else {
				var r quant.Ranges
				for piece := range p.Cut(part, 64) {
					require.NoError(t, p.Observe(&r, piece, x.Data[piece.First:][:piece.Len]))
				}
				params, err = p.Params(&r, part)
				require.NoError(t, err)
				for piece := range p.Cut(part, 64) {
					require.NoError(t, p.QuantizeBy(params, got[piece.Byte:][:piece.Bytes], piece, x.Data[piece.First:][:piece.Len]))
				}
			}
			requireSame(t, "scales", want.Params.Scale[part.Group:][:part.Groups], params.Scale)
		}
		assert.True(t, bytes.Equal(want.Data, got))

		for range 8 {
			made := quant.Part{First: b.any(), Len: b.any(), Byte: b.any(), Bytes: b.any(), Group: b.any(), Groups: b.any()}
			if b.below(2) == 0 && p.Whole().Len > 0 { // nearly right
				made = p.Whole()
				*[]*int{&made.First, &made.Len, &made.Byte, &made.Bytes, &made.Group, &made.Groups}[b.below(6)] += b.any()
			}
			in := make([]float32, min(max(made.Len, 0), 100))
			codes := make([]byte, min(max(made.Bytes, 0), 100))
			params := b.params()
			var r quant.Ranges
			_, errParams := p.Params(&r, made)
			for _, err := range []error{
				errParams, p.Observe(&r, made, in), p.Quantize(codes, &params, made, in), p.QuantizeBy(params, codes, made, in),
				p.FakeQuantizeBy(params, in, nil, made, in), p.Dequantize(in, made, codes, params), p.FakeQuantize(in, nil, &params, made, in),
				p.ObserveGlobal(&r, made, in), p.ByGlobal(1).Quantize(codes, &params, made, in), p.ByGlobal(1).QuantizeBy(params, codes, made, in),
			} {
				if err != nil {
					requireKind(t, err)
				}
			}
			n := 0
			for range p.Cut(made, 64) {
				if n++; n > 10 {
					break
				}
			}
		}
	})
}

// FuzzLoadState: a state that is spoiled is refused, and changes nothing, or is the quantizer's from then on.
func FuzzLoadState(f *testing.F) {
	addSeeds(f)
	specs := []string{
		`{}`, `{"qscheme":"asymmetric","granularity":{"type":"per_channel","axis":0}}`, `{"dtype":"float4_e2m1fn","qparam_calculator_cls":"static"}`,
		`{"qparam_calculator_cls":"dynamic"}`, `{"float_range":[-1,1]}`, `{"qparam_calculator_cls":{"name":"histogram","range":{"name":"percentile","num":9,"den":10}}}`,
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := fuzzBits(data)
		spec := specs[b.below(len(specs))]
		saved, q := mustNew[float32](t, spec, quant.Activation), mustNew[float32](t, spec, quant.Activation)
		x := tensor([]float32{1, -2, 3, 4, -5, 6}, 3, 2)
		if b.below(4) > 0 {
			require.NoError(t, saved.Observe(x))
		}
		s := saved.State()
		var names []string
		for name := range s {
			names = append(names, name)
		}
		slices.Sort(names)
		for range b.below(4) {
			name := names[b.below(len(names))]
			old := s[name]
			switch b.below(6) {
			case 0:
				delete(s, name)
			case 1:
				s[name+"x"] = old
			case 2:
				old.DType = []string{"U8", "F32", "I32", "F16", "BOOL", ""}[b.below(6)]
				s[name] = old
			case 3:
				old.Shape = b.anyShape()
				s[name] = old
			case 4:
				old.Data = old.Data[:min(len(old.Data), b.below(16))]
				s[name] = old
			default:
				old.Data = slices.Clone(old.Data)
				for i := range old.Data {
					if b.below(2) == 1 {
						old.Data[i] = b.byte()
					}
				}
				s[name] = old
			}
		}
		was := q.State()
		if err := q.LoadState(s); err != nil {
			require.ErrorIs(t, err, quant.ErrState)
			assert.Equal(t, was, q.State())
			return
		}
		loaded := q.State()
		require.Len(t, loaded, len(s))
		for name, want := range s {
			require.Equal(t, want.Data, loaded[name].Data, name)
			require.Equal(t, len(want.Shape), len(loaded[name].Shape), name)
		}
		for _, x := range []quant.Tensor[float32]{x, tensor([]float32{1, 2, 3}, 3, 1)} {
			var y quant.Tensor[float32]
			if err := q.FakeQuantize(&y, x, nil); err != nil {
				requireKind(t, err)
			}
			if err := q.Quantize(new(quant.Codes), x); err != nil {
				requireKind(t, err)
			}
		}
	})
}
