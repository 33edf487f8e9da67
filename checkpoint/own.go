package checkpoint

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// own are codes and parameters in Lowbit's own layout.
type own struct {
	*alike
	t *Tensor
}

// alike is what tensors of one record and one shape of scales have in common.
type alike struct {
	record     *Record
	companions []Companion
	line       int // the length of the last axis

	// The same pieces, for each type that values are asked for in.
	f32 quantizers.Pieces[float32]
	f16 quantizers.Pieces[float16.Float16]
	b16 quantizers.Pieces[bf16.BFloat16]
}

// likeness tells tensors that are alike from others.
type likeness struct {
	record *Record
	groups safetensors.Shape
}

func (*own) step() int { return 1 }

// codes are the first part.
func (l *own) codes() Stored { return l.t.lead() }

// ownRoles are what the companions of a tensor are to it.
var ownRoles = map[string]Role{scaleSuffix: Scale, zeroPointSuffix: ZeroPoint, minvalSuffix: Minval, globalScaleSuffix: GlobalScale}

// companion is the part of that suffix.
func (l *own) companion(suffix string) Stored {
	role := ownRoles[suffix]
	return l.t.Parts()[slices.IndexFunc(l.t.Parts(), func(p Part) bool { return p.Role == role })].Stored
}

// resolveOwn finds the tensors that Lowbit has quantized.
func (r *resolver) resolveOwn() error {
	for _, f := range r.shards {
		records, err := ReadRecords(f)
		if err != nil {
			return err
		}
		known := map[likeness]*alike{}
		for _, name := range slices.Sorted(maps.Keys(records)) {
			record := records[name]
			b := r.begin(name, methodOwn, record.Spec.DType.String())
			b.resolveOwn(record, known)
		}
	}
	return nil
}

// resolveOwn takes the parts of a tensor, which ReadRecords has looked at.
func (b *builder) resolveOwn(record *Record, known map[likeness]*alike) {
	companions := record.Companions()
	b.parts = make([]Part, 0, 1+len(companions))
	b.add(Codes, b.name)
	like := likeness{record: record}
	for _, c := range companions {
		s, _ := b.add(ownRoles[c.Suffix], b.name+c.Suffix)
		if c.Suffix == scaleSuffix {
			like.groups = s.Shape
		}
	}
	if b.err != nil {
		return
	}
	b.scheme.Bits = record.Spec.DType.Bits()
	b.shape, b.dtype = record.Shape.Dims(), record.DType
	block, err := record.Spec.Granularity.Blocks(b.shape, quant.Weight)
	if err != nil {
		b.fail(b.name, "%w", err)
		return
	}
	b.scheme.Rows, b.scheme.Cols = 1, 1
	for axis, n := range block {
		if axis == len(block)-1 {
			b.scheme.Cols = n
		} else {
			b.scheme.Rows *= n
		}
	}
	if known[like] == nil {
		a, err := newAlike(record, like.groups.Dims())
		if err != nil {
			b.fail(b.name, "%w", err)
			return
		}
		known[like] = a
	}
	b.layout = &own{known[like], b.Tensor}
}

func newAlike(record *Record, groups []int) (a *alike, err error) {
	codes := record.Codes()
	a = &alike{record: record, companions: record.Companions(), line: 1}
	if n := len(codes.Shape); n > 0 {
		a.line = codes.Shape[n-1]
	}
	codes.Params.Shape = groups
	if a.f32, err = quantizers.PiecesOf[float32](codes); err != nil {
		return nil, err
	}
	if a.f16, err = quantizers.PiecesOf[float16.Float16](codes); err != nil {
		return nil, err
	}
	a.b16, err = quantizers.PiecesOf[bf16.BFloat16](codes)
	return a, err
}

// piecesOf are the pieces for values of type T.
func piecesOf[T kernels.Float](l *own) quantizers.Pieces[T] {
	switch any(*new(T)).(type) {
	case float16.Float16:
		return any(l.f16).(quantizers.Pieces[T])
	case bf16.BFloat16:
		return any(l.b16).(quantizers.Pieces[T])
	}
	return any(l.f32).(quantizers.Pieces[T])
}

// readOwn reads elements from the one called first on.
func readOwn[T kernels.Float](l *own, s *scratch, dst []T, first int) error {
	pieces := piecesOf[T](l)
	all, err := pieces.Piece(first, len(dst))
	if err != nil {
		return err
	}
	most := len(dst)
	if first%l.line == 0 {
		// The parameters of groups that pieces have in common are read for each.
		common := all.Groups / max(1, all.Len/pieces.Unit())
		most = max(1, max(pieceLen, piecePerGroup*common)/l.line) * l.line
	}
	for len(dst) > 0 {
		piece, err := pieces.Piece(first, min(most, len(dst)))
		if err != nil {
			return err
		}
		if err := readOwnPiece(l, pieces, s, dst[:piece.Len], piece); err != nil {
			return err
		}
		dst, first = dst[piece.Len:], first+piece.Len
	}
	return nil
}

// piecePerGroup is how many elements a piece has at least for each of the groups that all pieces have in common.
const piecePerGroup = 64

// readOwnPiece reads a piece, with the parameters of its groups.
func readOwnPiece[T kernels.Float](l *own, pieces quantizers.Pieces[T], s *scratch, dst []T, piece quant.Part) error {
	codes := lend[uint8](&s.codes, piece.Bytes)
	from := l.codes()
	if err := from.File.ReadTensor(from.Name, codes, int64(piece.Byte)); err != nil {
		return err
	}
	if err := l.readParams(s, &s.groups, piece.Group, piece.Groups); err != nil {
		return err
	}
	return pieces.Dequantize(dst, piece, codes, s.groups)
}

// dequantizer returns what gives the tensor back as elements of a type.
func (l *own) dequantizer(t *Tensor, dtype safetensors.DType) (Converter, error) {
	switch dtype {
	case safetensors.F32:
		return ownValues[float32]{t, l}, nil
	case safetensors.F16:
		return ownValues[float16.Float16]{t, l}, nil
	case safetensors.BF16:
		return ownValues[bf16.BFloat16]{t, l}, nil
	}
	return nil, fmt.Errorf("checkpoint: cannot dequantize to %v, want F32, F16 or BF16", dtype)
}

// ownValues are the values of a tensor of Lowbit's own, in pieces that need not be rows: First and Rows of a Piece count elements.
type ownValues[T kernels.Float] struct {
	t *Tensor
	l *own
}

func (v ownValues[T]) Outputs() []safetensors.Info {
	return []safetensors.Info{{Name: v.t.Name(), DType: dtypeOf[T](), Shape: v.l.record.Shape}}
}

func (v ownValues[T]) Pieces(most int64) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		size := int64(dtypeOf[T]().Bits() / 8)
		pieces := piecesOf[T](v.l)
		n := int(max(1, most/size))
		for part := range pieces.Parts(n) {
			for piece := range pieces.Cut(part, n) {
				if !yield(Piece{v.t.Name(), piece.First, piece.Len, []Run{{0, int64(piece.First) * size, int64(piece.Len) * size}}}) {
					return
				}
			}
		}
	}
}

func (v ownValues[T]) Do(s *Scratch, p Piece) ([][]byte, error) {
	dst := lend[T](&s.out[0], p.Rows)
	if err := readOwn(v.l, &s.scratch, dst, p.First); err != nil {
		return nil, v.t.wrap(err)
	}
	toggleEndian(dst)
	s.results = append(s.results[:0], bytesOf(dst))
	return s.results, nil
}
