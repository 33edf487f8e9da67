package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/lowbit-go/lowbit/kernels"
)

// Importance tells how much the input columns of a weight matrix count: the mean of x^2 over what activations have in each column, the
// last axis. An error in a column's weights moves the layer's output by so much. The zero value has seen nothing.
//
// Squares are exact in float64 and are added in float64, in the order of the rows, so that the last bits of a sum depend on it; those
// of batches that are merged are sums of sums.
type Importance[T kernels.Float] struct {
	sums []float64 // of each column
	rows uint64
}

// Add takes the rows of a batch: all axes but the last. A batch with another number of columns is an ErrShape.
func (m *Importance[T]) Add(x Tensor[T]) error {
	if m == nil {
		return missing("Importance")
	}
	if err := x.check("x"); err != nil {
		return err
	}
	if len(x.Data) == 0 {
		return nil
	}
	columns := 1
	if n := len(x.Shape); n > 0 {
		columns = x.Shape[n-1]
	}
	if err := m.fits(columns); err != nil {
		return err
	}
	kernels.AddSquares(m.sums, x.Data)
	m.rows += uint64(len(x.Data) / columns)
	return nil
}

func (m *Importance[T]) fits(columns int) error {
	if m.sums == nil {
		m.sums = make([]float64, columns)
	}
	if len(m.sums) != columns {
		return shapeError("the columns of x", columns, "%d, as before", len(m.sums))
	}
	return nil
}

// Merge adds the rows of another one. With another number of columns it is an ErrShape.
func (m *Importance[T]) Merge(other *Importance[T]) error {
	if m == nil || other == nil {
		return missing("Importance")
	}
	if other.sums == nil {
		return nil
	}
	if err := m.fits(len(other.sums)); err != nil {
		return err
	}
	for i, sum := range other.sums {
		m.sums[i] += sum
	}
	m.rows += other.rows
	return nil
}

// Weights returns the mean of x^2 of each column, rounded to float32: FakeQuantizer.Importance takes them. With nothing seen it is nil.
func (m *Importance[T]) Weights() []float32 {
	var weights []float32
	for _, sum := range m.sums {
		weights = append(weights, float32(sum/float64(m.rows)))
	}
	return weights
}

// State returns what was seen as tensors, to be kept in a file: in_sum2 F64 [columns], the sums, and counts I64 [1], the number of rows. The
// names are those of llama.cpp's importance matrices.
func (m *Importance[T]) State() State {
	sums := []byte{}
	for _, sum := range m.sums {
		sums = binary.LittleEndian.AppendUint64(sums, math.Float64bits(sum))
	}
	return State{
		"in_sum2": {"F64", []int{len(m.sums)}, sums},
		"counts":  {"I64", []int{1}, binary.LittleEndian.AppendUint64(nil, m.rows)},
	}
}

// LoadState puts what a state has seen in the place of what was. A tensor that is missing, unknown, or of another type or shape is an
// ErrState, and changes nothing.
func (m *Importance[T]) LoadState(s State) error {
	sums, counts := s["in_sum2"], s["counts"]
	fail := func(name, found, want string) error { return &Error{ErrState, name, found, want} }
	switch {
	case len(s) != 2:
		return fail("the state", fmt.Sprintf("of %d tensors", len(s)), "in_sum2 and counts")
	case sums.DType != "F64" || len(sums.Shape) != 1 || len(sums.Data) != 8*sums.Shape[0]:
		return fail("in_sum2", sums.DType+" "+shapeString(sums.Shape), "F64 of one dimension")
	case counts.DType != "I64" || len(counts.Data) != 8:
		return fail("counts", counts.DType+" "+shapeString(counts.Shape), "I64 [1]")
	}
	read := Importance[T]{rows: binary.LittleEndian.Uint64(counts.Data)}
	for i := range sums.Shape[0] {
		sum := math.Float64frombits(binary.LittleEndian.Uint64(sums.Data[8*i:]))
		if !(sum >= 0) {
			return fail("in_sum2", fmt.Sprintf("%v in column %d", sum, i), "sums of squares")
		}
		read.sums = append(read.sums, sum)
	}
	if (read.rows == 0) != (len(read.sums) == 0) || read.rows > math.MaxInt64 {
		return fail("counts", fmt.Sprint(int64(read.rows)), "the number of rows, 0 only without columns")
	}
	*m = read
	return nil
}

// columnWeights are an Importance: a weight for each column, of all matrices alike or of one behind the other. They are none if values is nil.
type columnWeights struct {
	values          []float32
	columns, matrix int // elements of a row, and of what has weights of its own
}

// newColumnWeights holds an Importance against a tensor and against what takes it.
func newColumnWeights(importance []float32, ranges RangeCalculator, t *tiling) (columnWeights, error) {
	if importance == nil {
		return columnWeights{}, nil
	}
	if _, ok := ranges.(*mse); !ok {
		return columnWeights{}, specError("range_calculator_cls", "another one", "mse, as there is an Importance")
	}
	matrices, rows, columns := 1, 1, 1
	for _, n := range t.shape {
		matrices, rows, columns = matrices*rows, columns, n
	}
	switch len(importance) {
	case columns:
		return columnWeights{importance, columns, columns * rows * matrices}, nil
	case columns * matrices:
		return columnWeights{importance, columns, columns * rows}, nil
	}
	return columnWeights{}, shapeError("len(Importance)", len(importance), "%d, as the shape is %s", columns, shapeString(t.shape))
}

// write writes the weights of as many elements from element at of the tensor on.
func (w *columnWeights) write(dst []float32, at int) {
	for len(dst) > 0 {
		row := w.values[at/w.matrix*w.columns:][:w.columns]
		done := copy(dst, row[at%w.columns:])
		dst, at = dst[done:], at+done
	}
}
