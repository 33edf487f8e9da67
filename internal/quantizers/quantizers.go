// Package quantizers has the quantizers of package quant for all three element types behind interfaces. A generic type is compiled anew in every
// package that makes one of its instances, and those of package quant are large: what works with tensors of any type takes them from here,
// where they are compiled once. A program that knows its elements' type takes package quant itself, and links the code of that type alone.
package quantizers

import (
	"iter"
	"log/slog"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// Quantizer is a quant.FakeQuantizer.
type Quantizer[T kernels.Float] interface {
	Backward(dx *quant.Tensor[T], dy quant.Tensor[T], mask quant.Mask) error
	Disabled() bool
	FakeQuantEnabled() bool
	FakeQuantize(dst *quant.Tensor[T], x quant.Tensor[T], mask *quant.Mask) error
	LoadState(s quant.State) error
	Observe(x quant.Tensor[T]) error
	ObserveRanges(shape []int, r *quant.Ranges) error
	ObserverEnabled() bool
	Params() (quant.Params, error)
	Spec() quant.Spec
	State() quant.State
}

// Options are the fields of a quant.FakeQuantizer that are set before its first use.
type Options struct {
	Name    string
	Workers int
	Logger  *slog.Logger
}

// Pieces is a quant.Pieces.
type Pieces[T kernels.Float] interface {
	ByGlobal(global float32) Pieces[T]
	Cut(part quant.Part, most int) iter.Seq[quant.Part]
	Dequantize(dst []T, part quant.Part, codes []byte, params quant.Params) error
	FakeQuantize(dst []T, mask *quant.Mask, params *quant.Params, part quant.Part, x []T) error
	FakeQuantizeBy(params quant.Params, dst []T, mask *quant.Mask, piece quant.Part, x []T) error
	Fixed() bool
	Gathers() bool
	Global(r *quant.Ranges) (float32, error)
	Observe(r *quant.Ranges, piece quant.Part, x []T) error
	ObserveGlobal(r *quant.Ranges, piece quant.Part, x []T) error
	Params(r *quant.Ranges, part quant.Part) (quant.Params, error)
	Parts(most int) iter.Seq[quant.Part]
	Piece(first, n int) (quant.Part, error)
	Quantize(dst []byte, params *quant.Params, part quant.Part, x []T) error
	QuantizeBy(params quant.Params, dst []byte, piece quant.Part, x []T) error
	Search(part quant.Part, workers int, read func(x []T, first int) error) (quant.Params, error)
	Unit() int
	Whole() quant.Part
}

// cutPieces are quant.Pieces with the interface's methods.
type cutPieces[T kernels.Float] struct{ *quant.Pieces[T] }

func (p cutPieces[T]) ByGlobal(global float32) Pieces[T] {
	return cutPieces[T]{p.Pieces.ByGlobal(global)}
}

// Importance is a quant.Importance.
type Importance[T kernels.Float] interface {
	Add(x quant.Tensor[T]) error
	State() quant.State
}

// Histogram is a quant.Histogram.
type Histogram[T kernels.Float] interface {
	Add(x []T)
}

// NewHistogram makes a quant.Histogram.
func NewHistogram[T kernels.Float]() Histogram[T] { return newHistogram(any(*new(T))).(Histogram[T]) }

// ObserveHistogram is quant.FakeQuantizer.ObserveHistogram.
func ObserveHistogram[T kernels.Float](q Quantizer[T], shape []int, h Histogram[T]) error {
	return observeHistogram(q, shape, h)
}

// New is quant.New.
func New[T kernels.Float](spec quant.Spec, target quant.Target, o Options) (Quantizer[T], error) {
	q, err := newQuantizer(any(*new(T)), spec, target, o)
	if err != nil {
		return nil, err
	}
	return q.(Quantizer[T]), nil
}

// Check tells what New has against a spec.
func Check(spec quant.Spec, target quant.Target) error {
	_, err := newQuantizer(float32(0), spec, target, Options{})
	return err
}

// NewPieces is quant.NewPieces, with an importance or nil.
func NewPieces[T kernels.Float](spec quant.Spec, target quant.Target, shape []int, packed bool, importance []float32) (Pieces[T], error) {
	p, err := newPieces(any(*new(T)), spec, target, shape, packed, importance)
	if err != nil {
		return nil, err
	}
	return p.(Pieces[T]), nil
}

// PiecesOf is quant.PiecesOf.
func PiecesOf[T kernels.Float](c quant.Codes) (Pieces[T], error) {
	p, err := piecesOf(any(*new(T)), c)
	if err != nil {
		return nil, err
	}
	return p.(Pieces[T]), nil
}

// NewImportance makes a quant.Importance.
func NewImportance[T kernels.Float]() Importance[T] {
	return newImportance(any(*new(T))).(Importance[T])
}

// The functions below have no type parameter, so that the instances are theirs, and they are not to be inlined where the instances
// would be others' again.

//go:noinline
func newQuantizer(element any, spec quant.Spec, target quant.Target, o Options) (any, error) {
	switch element.(type) {
	case float16.Float16:
		return quantizer[float16.Float16](spec, target, o)
	case bf16.BFloat16:
		return quantizer[bf16.BFloat16](spec, target, o)
	}
	return quantizer[float32](spec, target, o)
}

func quantizer[T kernels.Float](spec quant.Spec, target quant.Target, o Options) (any, error) {
	q, err := quant.New[T](spec, target)
	if err != nil {
		return nil, err
	}
	q.Name, q.Workers, q.Logger = o.Name, o.Workers, o.Logger
	return q, nil
}

//go:noinline
func newPieces(element any, spec quant.Spec, target quant.Target, shape []int, packed bool, importance []float32) (any, error) {
	switch element.(type) {
	case float16.Float16:
		return pieces[float16.Float16](spec, target, shape, packed, importance)
	case bf16.BFloat16:
		return pieces[bf16.BFloat16](spec, target, shape, packed, importance)
	}
	return pieces[float32](spec, target, shape, packed, importance)
}

func pieces[T kernels.Float](spec quant.Spec, target quant.Target, shape []int, packed bool, importance []float32) (any, error) {
	p, err := quant.NewPieces[T](spec, target, shape, packed)
	if err != nil {
		return nil, err
	}
	p.Importance = importance
	return cutPieces[T]{p}, nil
}

//go:noinline
func piecesOf(element any, c quant.Codes) (any, error) {
	switch element.(type) {
	case float16.Float16:
		return codePieces[float16.Float16](c)
	case bf16.BFloat16:
		return codePieces[bf16.BFloat16](c)
	}
	return codePieces[float32](c)
}

func codePieces[T kernels.Float](c quant.Codes) (any, error) {
	p, err := quant.PiecesOf[T](c)
	return cutPieces[T]{p}, err
}

//go:noinline
func newImportance(element any) any {
	switch element.(type) {
	case float16.Float16:
		return new(quant.Importance[float16.Float16])
	case bf16.BFloat16:
		return new(quant.Importance[bf16.BFloat16])
	}
	return new(quant.Importance[float32])
}

//go:noinline
func newHistogram(element any) any {
	switch element.(type) {
	case float16.Float16:
		return new(quant.Histogram[float16.Float16])
	case bf16.BFloat16:
		return new(quant.Histogram[bf16.BFloat16])
	}
	return new(quant.Histogram[float32])
}

//go:noinline
func observeHistogram(q any, shape []int, h any) error {
	switch q := q.(type) {
	case *quant.FakeQuantizer[float16.Float16]:
		return q.ObserveHistogram(shape, h.(*quant.Histogram[float16.Float16]))
	case *quant.FakeQuantizer[bf16.BFloat16]:
		return q.ObserveHistogram(shape, h.(*quant.Histogram[bf16.BFloat16]))
	}
	return q.(*quant.FakeQuantizer[float32]).ObserveHistogram(shape, h.(*quant.Histogram[float32]))
}
