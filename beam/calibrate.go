package beam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

func init() {
	beam.RegisterDoFn(&listBatchesFn{})
	beam.RegisterDoFn(&observeFn{})
	beam.RegisterDoFn(&foldFn{})
	beam.RegisterDoFn(&stateFn{})
}

// calibrate adds the calibration over batch files to a pipeline. Batches are in the order of their names. Keys are tensors by their names.
func calibrate(s beam.Scope, j Job) {
	tasks := beam.Reshuffle(s, beam.ParDo(s, &listBatchesFn{j}, beam.Impulse(s)))
	seen := beam.GroupByKey(s, beam.ParDo(s, &observeFn{j}, tasks))
	states := beam.GroupByKey(s, beam.ParDo(s, &foldFn{j}, seen))
	beam.ParDo0(s, &stateFn{j}, states)
}

// What is observed without a spec in JSON: the first two by these.
const (
	importance = "importance"

	rangesSpec    = `{"qparam_calculator_cls":"global_minmax"}`
	histogramSpec = `{"qparam_calculator_cls":"histogram"}`
)

// observed is the spec by which the job calibrates.
func (j *Job) observed() (quant.Spec, error) {
	switch j.Spec {
	case "ranges":
		return quant.ParseSpec([]byte(rangesSpec))
	case "histogram":
		return quant.ParseSpec([]byte(histogramSpec))
	}
	return quant.ParseSpec([]byte(j.Spec))
}

// checkCalibration tells what a calibration lacks.
func (j *Job) checkCalibration() error {
	if _, err := j.selection(); err != nil {
		return err
	}
	if j.Spec == importance {
		return nil
	}
	spec, err := j.observed()
	if err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	if _, err = quant.New[float32](spec, quant.Activation); err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	switch {
	case spec.Calculator.Name == "dynamic":
		return errors.New("spec: qparam_calculator_cls is dynamic, which has no state")
	case spec.Calculator.Name != "histogram" && spec.Searches():
		return fmt.Errorf("spec: range_calculator_cls is %v, which wants tensors whole: want minmax, or qparam_calculator_cls histogram", spec.RangeCalculator)
	}
	return nil
}

// batches are the files of the batches.
func (j *Job) batches(ctx context.Context) ([]*safetensors.File, error) {
	return keep(*j, func() (all []*safetensors.File, err error) {
		at, err := openPlace(ctx, j.In)
		if err != nil {
			return nil, err
		}
		s := newSnapshot(context.WithoutCancel(ctx), at, j.Input)
		for _, f := range j.Input {
			if path.Ext(f.Name) != ".safetensors" {
				continue
			}
			file, err := s.Open(f.Name)
			if err != nil {
				return nil, err
			}
			st, err := safetensors.NewFile(file.(*object), f.Size, f.Name)
			if err != nil {
				return nil, err
			}
			all = append(all, st)
		}
		if len(all) == 0 {
			err = fmt.Errorf("%s: has no safetensors file", at.url)
		}
		return all, err
	})
}

// batchTask is a tensor of a batch.
type batchTask struct {
	Batch  int
	Tensor string
}

// listBatchesFn lists the tensors of the batches.
type listBatchesFn struct{ Job Job }

// ProcessElement emits tasks.
func (f *listBatchesFn) ProcessElement(ctx context.Context, _ []byte, emit func([]byte)) error {
	batches, err := f.Job.batches(ctx)
	if err != nil {
		return err
	}
	s, err := f.Job.selection()
	if err != nil {
		return err
	}
	none := true
	for i, b := range batches {
		for _, info := range b.Tensors() {
			if checkpoint.Quantizable(info.DType) && s.Takes(info.Name) {
				emit(pack(batchTask{i, info.Name}))
				none = false
			}
		}
	}
	if none {
		return errors.New("no tensor is selected")
	}
	return nil
}

// seen is what was seen of a tensor in a batch: encoded ranges, or an encoded histogram. Of importance it is nothing: the sums depend on the order
// in which they are added up, and one worker reads the batches in theirs.
type seen struct {
	Batch int
	DType string
	Shape []int
	Data  []byte
}

// observeFn observes the tensors of batches.
type observeFn struct{ Job Job }

// ProcessElement emits what was seen, by tensor.
func (f *observeFn) ProcessElement(ctx context.Context, packed []byte, emit func(string, []byte)) error {
	batches, err := f.Job.batches(ctx)
	if err != nil {
		return err
	}
	task, err := unpack[batchTask](packed)
	if err != nil {
		return err
	}
	in := batches[task.Batch]
	info, _ := in.Lookup(task.Tensor)
	var data []byte
	switch {
	case f.Job.Spec == importance:
	case info.DType == safetensors.F16:
		data, err = observe[float16.Float16](&f.Job, in, info)
	case info.DType == safetensors.BF16:
		data, err = observe[bf16.BFloat16](&f.Job, in, info)
	default:
		data, err = observe[float32](&f.Job, in, info)
	}
	if err != nil {
		return fmt.Errorf("%s: tensor %q: %w", in.Name(), info.Name, err)
	}
	piecesDone.Inc(ctx, 1)
	emit(task.Tensor, pack(seen{task.Batch, info.DType.String(), info.Shape.Dims(), data}))
	return nil
}

// observe observes a tensor piece by piece.
func observe[T kernels.Float](j *Job, in *safetensors.File, info safetensors.Info) ([]byte, error) {
	spec, err := j.observed()
	if err != nil {
		return nil, err
	}
	size := info.DType.Bits() / 8
	most := max(64, int(j.Piece)/size)
	x := make([]T, min(most, info.Elements()))
	read := func(first, n int) ([]T, error) {
		return x[:n], readElements(in, info.Name, x[:n], int64(first)*int64(size))
	}
	if spec.Calculator.Name == "histogram" {
		var h quant.Histogram[T]
		for first := 0; first < info.Elements(); first += most {
			part, err := read(first, min(most, info.Elements()-first))
			if err != nil {
				return nil, err
			}
			h.Add(part)
		}
		return h.MarshalBinary()
	}
	var r quant.Ranges
	pieces, err := quant.NewPieces[T](spec, quant.Activation, info.Shape.Dims(), false)
	switch {
	case errors.Is(err, quant.ErrDisabled) || err == nil && (info.Elements() == 0 || pieces.Fixed()):
		return r.MarshalBinary() // which the quantizer is to hear of
	case err != nil:
		return nil, err
	}
	for piece := range pieces.Cut(pieces.Whole(), most) {
		part, err := read(piece.First, piece.Len)
		if err != nil {
			return nil, err
		}
		if err := pieces.Observe(&r, piece, part); err != nil {
			return nil, err
		}
	}
	return r.MarshalBinary()
}

// foldFn folds what was seen of a tensor in the order of the batches.
type foldFn struct{ Job Job }

// namedState is the state of a tensor's quantizer.
type namedState struct {
	Tensor string
	State  quant.State
}

// ProcessElement emits the state of the tensor's quantizer.
func (f *foldFn) ProcessElement(ctx context.Context, tensor string, packed func(*[]byte) bool, emit func(string, []byte)) error {
	var all []seen
	var one []byte
	for packed(&one) {
		s, err := unpack[seen](one)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b seen) int { return cmp.Compare(a.Batch, b.Batch) })
	for _, s := range all {
		if s.DType != all[0].DType {
			return fmt.Errorf("tensor %q: is %s in batch %d, but %s in an earlier one", tensor, s.DType, s.Batch+1, all[0].DType)
		}
	}
	var state quant.State
	var err error
	switch all[0].DType {
	case "F16":
		state, err = fold[float16.Float16](ctx, &f.Job, tensor, all)
	case "BF16":
		state, err = fold[bf16.BFloat16](ctx, &f.Job, tensor, all)
	default:
		state, err = fold[float32](ctx, &f.Job, tensor, all)
	}
	if err != nil {
		return fmt.Errorf("tensor %q: %w", tensor, err)
	}
	tensorsDone.Inc(ctx, 1)
	emit("", pack(namedState{tensor, state}))
	return nil
}

// fold shows a quantizer all batches, or sums them up.
func fold[T kernels.Float](ctx context.Context, j *Job, tensor string, all []seen) (quant.State, error) {
	if j.Spec == importance {
		return sumSquares[T](ctx, j, tensor, all)
	}
	spec, err := j.observed()
	if err != nil {
		return nil, err
	}
	q, err := quant.New[T](spec, quant.Activation)
	if err != nil {
		return nil, err
	}
	q.Name = tensor
	for _, s := range all {
		if spec.Calculator.Name == "histogram" {
			var h quant.Histogram[T]
			if err = h.UnmarshalBinary(s.Data); err == nil {
				err = q.ObserveHistogram(s.Shape, &h)
			}
		} else {
			var r quant.Ranges
			if err = r.UnmarshalBinary(s.Data); err == nil {
				err = q.ObserveRanges(s.Shape, &r)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("batch %d: %w", s.Batch+1, err)
		}
	}
	return q.State(), nil
}

// sumSquares reads all batches, rows by rows, and keeps the mean square of each column.
func sumSquares[T kernels.Float](ctx context.Context, j *Job, tensor string, all []seen) (quant.State, error) {
	batches, err := j.batches(ctx)
	if err != nil {
		return nil, err
	}
	var sums quant.Importance[T]
	var x []T
	for _, s := range all {
		in := batches[s.Batch]
		info, _ := in.Lookup(tensor)
		columns := 1
		if n := len(s.Shape); n > 0 {
			columns = s.Shape[n-1]
		}
		size := info.DType.Bits() / 8
		for first, left := 0, info.Elements(); left > 0; {
			n := min(left, max(1, int(j.Piece)/(size*columns))*columns)
			x = grow(x, n)
			err := readElements(in, tensor, x, int64(first)*int64(size))
			if err == nil {
				err = sums.Add(quant.Tensor[T]{Data: x, Shape: []int{n / columns, columns}})
			}
			if err != nil {
				return nil, fmt.Errorf("batch %d: %w", s.Batch+1, err)
			}
			first, left = first+n, left-n
		}
	}
	return sums.State(), nil
}

// stateFn writes the states.
type stateFn struct{ Job Job }

// ProcessElement writes a safetensors file, which lowbit fakequant --state-in reads.
func (f *stateFn) ProcessElement(ctx context.Context, _ string, packed func(*[]byte) bool) error {
	states := map[string]quant.State{}
	var one []byte
	for packed(&one) {
		s, err := unpack[namedState](one)
		if err != nil {
			return err
		}
		states[s.Tensor] = s.State
	}
	var tensors []safetensors.Info
	data := map[string][]byte{}
	for _, tensor := range slices.Sorted(maps.Keys(states)) {
		for _, name := range slices.Sorted(maps.Keys(states[tensor])) {
			t := states[tensor][name]
			dtype, err := safetensors.ParseDType(t.DType)
			if err != nil {
				return err
			}
			tensors = append(tensors, safetensors.Info{Name: tensor + "." + name, DType: dtype, Shape: safetensors.ShapeOf(t.Shape...)})
			data[tensor+"."+name] = t.Data
		}
	}
	head, laidOut, err := safetensors.Layout(nil, tensors)
	if err != nil {
		return err
	}
	slices.SortFunc(laidOut, func(a, b safetensors.Info) int { return cmp.Compare(a.Offset, b.Offset) })
	for _, t := range laidOut {
		head = append(head, data[t.Name]...)
	}
	at, name, err := openFile(ctx, f.Job.Out)
	if err != nil {
		return err
	}
	return at.put(ctx, name, head)
}
