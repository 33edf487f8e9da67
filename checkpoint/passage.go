package checkpoint

import (
	"fmt"
	"slices"

	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
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

// values gives what a reader gets of a piece.
func (w *ctWriter[T]) values(s *Scratch, p Piece, global float32) ([]float32, error) {
	values := lend[float32](&s.wide, p.Rows*w.cols)
	return values, readGrouped(w.layout(finished{w.Outputs(), p.Runs, s.results}, global), &s.scratch, values, p.First)
}

// layout is how the weight lies in what is written, with a global scale if there is one.
func (w *ctWriter[T]) layout(f finished, global float32) *grouped {
	part := func(i int) Stored { return Stored{&f.outputs[i], f} }
	l := &grouped{codes: part(0), bits: w.preset.weights.bits, cols: w.cols, axes: []axis{{w.rows, w.blockRows}}, blockCols: w.blockCols, groupCols: w.groupCols}
	l.rowBytes = l.cols * l.bits / 8
	l.scale = scales{Stored: part(1), inf255: true}
	switch w.preset.format {
	case ctInt:
		l.form = formI8
	case ctFloat:
		l.form = formE4M3
	case ctNVFP4:
		l.form, l.scale.factor, l.scale.global = formE2M1, divided, global
	case ctMXFP4:
		l.form = formE2M1
	default:
		l.form, l.bias = formBits, 1<<(l.bits-1)
		if !w.preset.weights.symmetric {
			l.zero = &zeros{part(3), l.bits}
		}
	}
	return l
}

// finished is a piece that is done, to be read before it is written. Its first run is of the first output.
type finished struct {
	outputs []safetensors.Info
	runs    []Run
	results [][]byte
}

// Name stands for a file's.
func (finished) Name() string { return "" }

// ReadTensor reads bytes of one of the outputs, which the piece must have.
func (f finished) ReadTensor(name string, buf []byte, off int64) error {
	for i, r := range f.runs {
		output := r.Output - f.runs[0].Output // a plan counts those of other converters before it
		if at := off - r.Offset; f.outputs[output].Name == name && at >= 0 && at+int64(len(buf)) <= r.Size {
			copy(buf, f.results[i][at:])
			return nil
		}
	}
	return fmt.Errorf("%s: the piece does not have bytes %d to %d", name, off, off+int64(len(buf)))
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
