package checkpoint

import (
	"slices"

	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// Passage is a run of a tensor's elements on their way through a plan, and what has become of them.
type Passage struct {
	Tensor string // its name in the input
	First  int    // element
	Stored []byte // as the input has them

	// Values are what ReadRows gives of the output. They are nil of elements that are kept as they are.
	Values []float32
}

// pass tells the watcher of elements, and of their values unless they are nil.
func pass[T kernels.Float](s *Scratch, t *Tensor, first int, x []T, values []float32) error {
	toggleEndian(x)
	err := s.watch(Passage{t.Name(), first, bytesOf(x), values})
	toggleEndian(x)
	return err
}

// values gives what a reader gets of codes: by those parameters of the groups of part.
func (q *quantizer[T]) values(s *Scratch, codes []byte, params quant.Params, part quant.Part) ([]float32, error) {
	groups, err := q.choice.Spec.Granularity.Groups(q.t.Shape(), quant.Weight)
	if err != nil {
		return nil, err
	}
	all := q.record().Codes()
	all.Params.Shape = groups
	pieces, err := quantizers.PiecesOf[float32](all)
	if err != nil {
		return nil, err
	}
	values := lend[float32](&s.wide, part.Len)
	return values, pieces.Dequantize(values, part, codes, params)
}

// Inputs lists the tensors of the input that the shard is made of, by the names that a Passage has.
func (s *Shard) Inputs() []string {
	names := make([]string, len(s.Pieces))
	for i, p := range s.Pieces {
		names[i] = p.Tensor
	}
	slices.Sort(names)
	return slices.Compact(names)
}
