package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// fakeQuantCommand is lowbit fakequant: successive forward passes of a quantizer for each tensor.
type fakeQuantCommand struct {
	Spec          specFlag `required:"" placeholder:"JSON" help:"How to quantize: JSON, or @FILE."`
	Target        string   `default:"weight" enum:"weight,activation" help:"What the tensors are: weight or activation."`
	selection     `embed:""`
	nonFiniteFlag `embed:""`
	Mask          string   `default:"byte" enum:"byte,bit,none" help:"What T.mask is: byte, bit or none."`
	Grad          fileFlag `placeholder:"FILE" help:"Gradients under the tensors' names; T.grad is what passes of them."`
	StateIn       fileFlag `placeholder:"FILE" help:"State of the quantizers to begin with."`
	StateOut      fileFlag `placeholder:"FILE" help:"Where to write the state of the quantizers after the last pass."`
	Restart       bool     `help:"Begin a folder anew, whatever an earlier run has left."`
	Output        string   `short:"o" required:"" placeholder:"OUT" help:"File or folder to write."`
	In            []string `arg:"" name:"IN" help:"Files to read, a forward pass each; OUT has the tensors of the last. Or one folder, index, GGUF or checkpoint that is quantized."`
}

// fakeQuantJob is the command at work.
type fakeQuantJob struct {
	*fakeQuantCommand
	*stream
	log      *slog.Logger
	target   quant.Target
	mask     quant.MaskKind
	inputs   []*safetensors.File
	last     *safetensors.File // of inputs
	grad     *safetensors.File // nil without --grad
	stateIn  *safetensors.File // nil without --state-in
	stateOut states            // nil without --state-out
	out      *safetensors.Writer
}

// fakeQuantPlace is what a selected tensor passes through, in one element type or another.
type fakeQuantPlace interface {
	layOut(j *fakeQuantJob, l *layout) error
	run(j *fakeQuantJob) error
	warn(log *slog.Logger)
}

// Run does the passes tensor by tensor and piece by piece, so that memory holds a few of them at a time, and the tensor's parameters.
func (c *fakeQuantCommand) Run(t *tool) error {
	j := &fakeQuantJob{fakeQuantCommand: c, log: newLogger(t.stderr)}
	j.mask = maskKinds[c.Mask]
	var err error
	if j.target, err = quant.ParseTarget(c.Target); err != nil {
		return err
	}
	if err := c.check(j.target); err != nil {
		return err
	}
	if len(c.In) == 1 {
		if done, err := c.checkpoint(t, j.target); done || err != nil {
			return err
		}
	}

	var files files
	defer files.close()
	for _, path := range c.In {
		j.inputs = append(j.inputs, files.open(path))
	}
	j.last = j.inputs[len(j.inputs)-1]
	if c.Grad != "" {
		j.grad = files.open(string(c.Grad))
	}
	if c.StateIn != "" {
		j.stateIn = files.open(string(c.StateIn))
	}
	if files.err != nil {
		return files.err
	}

	l := &layout{in: j.last, taken: inFile(j.last)}
	places, err := j.layOut(l)
	if err != nil {
		return err
	}
	if c.StateOut != "" {
		if err := checkPlace(string(c.StateOut)); err != nil {
			return err
		}
		j.stateOut = make(states)
	}
	if j.out, err = safetensors.Create(c.Output, j.last.Metadata(), l.tensors); err != nil {
		return err
	}
	defer j.out.Close()
	before := int64(0)
	for _, f := range files.list {
		before += size(f.Tensors())
	}
	j.stream = t.newStream("fakequant", before, size(j.out.Tensors()))
	defer j.end()

	if err := j.passes(places); err != nil {
		return err
	}
	if c.StateOut == "" {
		return j.commit(&files, j.out)
	}
	state, err := j.stateOut.create(string(c.StateOut))
	if err != nil {
		return err
	}
	defer state.Close()
	return j.commit(&files, j.out, state)
}

// passes does those of the tensors that are selected, and copies the others.
func (j *fakeQuantJob) passes(places map[string]fakeQuantPlace) error {
	for _, info := range j.last.Tensors() {
		var err error
		if p := places[info.Name]; p != nil {
			err = p.run(j)
		} else {
			err = j.copy(j.out, j.last, info)
		}
		if err != nil {
			return err
		}
	}
	if err := j.wait(); err != nil {
		return err
	}
	for _, info := range j.last.Tensors() {
		if p := places[info.Name]; p != nil {
			p.warn(j.log)
		}
	}
	return nil
}

// check refuses a spec that no quantizer has, and a state in the place of another file.
func (c *fakeQuantCommand) check(target quant.Target) error {
	if err := quantizers.Check(c.Spec.Spec, target); err != nil {
		return usagef("--spec: %w", plain(err))
	}
	if c.StateOut == "" {
		return nil
	}
	if sameFile(string(c.StateOut), c.Output) {
		return usagef("--state-out: is %s, want another file than OUT", c.StateOut)
	}
	for _, in := range c.In {
		if sameFile(string(c.StateOut), in) {
			return usagef("--state-out: is %s, want another file than IN", c.StateOut)
		}
	}
	return nil
}

// maskKinds are the values of --mask.
var maskKinds = map[string]quant.MaskKind{"byte": quant.ByteMask, "bit": quant.BitMask, "none": quant.NoMask}

// checkpoint does a pass over all tensors of a checkpoint that is more than a file of plain tensors. It tells whether it is.
func (c *fakeQuantCommand) checkpoint(t *tool, target quant.Target) (done bool, err error) {
	in, err := open(c.In[0])
	if err != nil {
		return false, err
	}
	defer in.Close()
	method := in.Method()
	plain, alone := in.Kind() == checkpoint.File && (method == "" || method == "lowbit"), c.Grad == "" && c.StateIn == "" && c.StateOut == ""
	if plain && !alone {
		return false, nil
	}
	for _, flag := range []struct {
		name string
		file fileFlag
	}{{"--grad", c.Grad}, {"--state-in", c.StateIn}, {"--state-out", c.StateOut}} {
		if flag.file != "" {
			return false, usagef("%s: is for safetensors files that are not quantized, %s is none", flag.name, c.In[0])
		}
	}
	odd := &oddTensors{nonFiniteFlag: &c.nonFiniteFlag, of: map[*checkpoint.Tensor]*oddities{}}
	plan, err := checkpoint.NewPlan(in, &checkpoint.FakeQuantization{
		Spec: c.Spec.Spec, Target: target, Mask: maskKinds[c.Mask], Select: func(t *checkpoint.Tensor) bool { return c.selects(t.Name()) },
		Name: fmt.Sprintf("spec %v target %s mask %s non-finite %s %s", c.Spec.Spec, c.Target, c.Mask, c.NonFinite, c.names()), NonFinite: odd.found, Stop: t.interrupted,
	}, pieceSize)
	if err != nil {
		return false, err
	}
	log := newLogger(t.stderr)
	warnOfPlan(log, plan)
	if !slices.ContainsFunc(plan.Changes, func(c checkpoint.Change) bool { return c.Converted || c.Kept != "" }) {
		log.Warn("no tensor is selected", "file", in.Path())
	}
	write := t.newWriting("fakequant", c.Output, plan)
	write.folder = inFolder(in)
	write.restart = c.Restart
	return true, write.run(func() { odd.warn(log, plan) })
}

// layOut finds the selected tensors, holds the inputs against one another, and lays OUT out.
func (j *fakeQuantJob) layOut(l *layout) (map[string]fakeQuantPlace, error) {
	earlier, err := checkpoint.ReadRecords(j.last)
	if err != nil {
		return nil, err
	}
	places := make(map[string]fakeQuantPlace)
	for _, info := range j.last.Tensors() {
		if !checkpoint.Quantizable(info.DType) || earlier.Companion(info.Name) || !j.selects(info.Name) {
			l.add(info.Name, info.DType, info.Shape)
			continue
		}
		var p fakeQuantPlace
		switch info.DType {
		case safetensors.F32:
			p, err = newFakeQuantPlace[float32](j, info)
		case safetensors.F16:
			p, err = newFakeQuantPlace[float16.Float16](j, info)
		case safetensors.BF16:
			p, err = newFakeQuantPlace[bf16.BFloat16](j, info)
		}
		if err == nil {
			err = p.layOut(j, l)
		}
		if err != nil {
			return nil, err
		}
		places[info.Name] = p
	}
	for _, in := range j.inputs[:len(j.inputs)-1] {
		for _, info := range in.Tensors() {
			if checkpoint.Quantizable(info.DType) && j.selects(info.Name) && places[info.Name] == nil {
				return nil, refuse(in, info.Name, "%s has no such tensor to quantize", j.last.Name())
			}
		}
	}
	if len(places) == 0 {
		j.log.Warn("no tensor is selected", "file", j.last.Name())
	}
	return places, nil
}

// fakeQuantTensor is a fakeQuantPlace.
type fakeQuantTensor[T kernels.Float] struct {
	info   safetensors.Info // in the last input
	q      quantizers.Quantizer[T]
	odd    oddities
	alone  bool  // the tensor will pass unchanged, and nothing is written beside it
	groups []int // the shape of the parameters that are written
}

func newFakeQuantPlace[T kernels.Float](j *fakeQuantJob, info safetensors.Info) (fakeQuantPlace, error) {
	q, err := quantizers.New[T](j.Spec.Spec, j.target, quantizers.Options{Name: info.Name, Logger: j.log})
	if err != nil {
		return nil, inTensor(j.last, info.Name, err)
	}
	if j.stateIn != nil {
		state, err := readState(j.stateIn, info.Name)
		if err != nil {
			return nil, err
		}
		if err := q.LoadState(state); err != nil {
			return nil, inTensor(j.stateIn, info.Name, err)
		}
	}
	return &fakeQuantTensor[T]{info: info, q: q}, nil
}

// checkRank refuses a tensor of an absurd number of axes.
func checkRank(in *safetensors.File, info safetensors.Info) error {
	if rank := info.Shape.Rank(); rank > checkpoint.MostAxes {
		return refuse(in, info.Name, "has %d axes, want at most %d to quantize it: leave it out with --exclude", rank, checkpoint.MostAxes)
	}
	return nil
}

// layOut adds to l what run will write. From the shapes alone it tells which pass disables the quantizer.
func (f *fakeQuantTensor[T]) layOut(j *fakeQuantJob, l *layout) error {
	name := f.info.Name
	disabled := f.q.Disabled()
	var groups []int
	for _, in := range j.inputs {
		info, ok := in.Lookup(name)
		if !ok {
			return refuse(in, name, "missing, but %s has it", j.last.Name())
		}
		if info.DType != f.info.DType {
			return refuse(in, name, "is %v, but %v in %s", info.DType, f.info.DType, j.last.Name())
		}
		if err := checkRank(in, info); err != nil {
			return err
		}
		if disabled || info.Elements() == 0 {
			continue
		}
		var err error
		groups, err = j.Spec.Granularity.Groups(info.Shape.Dims(), j.target)
		if disabled = errors.Is(err, quant.ErrDisabled); err != nil && !disabled {
			return refuse(in, name, "%w: leave it out with --exclude", plain(err))
		}
	}
	l.add(name, f.info.DType, f.info.Shape)
	f.groups = groups
	if f.alone = disabled || !f.q.FakeQuantEnabled() || f.info.Elements() == 0; f.alone {
		return nil
	}
	if j.mask != quant.NoMask {
		shape := f.info.Shape
		if j.mask == quant.BitMask {
			shape = safetensors.ShapeOf(kernels.BitMaskLen(f.info.Elements()))
		}
		if err := l.beside(name, maskSuffix, safetensors.U8, shape); err != nil {
			return err
		}
	}
	if err := l.parameters(name, j.Spec.DType, groups); err != nil || j.grad == nil {
		return err
	}
	grad, ok := j.grad.Lookup(name)
	switch {
	case !ok:
		return refuse(j.grad, name, "missing, but %s has it", j.last.Name())
	case grad.DType != f.info.DType:
		return refuse(j.grad, name, "is %v, but %v in %s", grad.DType, f.info.DType, j.last.Name())
	case grad.Shape != f.info.Shape:
		return refuse(j.grad, name, "has the shape %s, but %s in %s", grad.Shape, f.info.Shape, j.last.Name())
	}
	return l.beside(name, gradSuffix, grad.DType, grad.Shape)
}

// run does the passes.
func (f *fakeQuantTensor[T]) run(j *fakeQuantJob) error {
	if err := f.observeAll(j); err != nil {
		return err
	}
	if j.stateOut != nil {
		j.stateOut[f.info.Name] = f.q.State()
	}
	if f.alone {
		return j.copy(j.out, j.last, f.info)
	}
	return f.fakeQuantize(j)
}

// warn says what is not finite in the tensor.
func (f *fakeQuantTensor[T]) warn(log *slog.Logger) { f.odd.warn(log, f.info.Name) }

// observeAll does the passes as far as they move the parameters.
func (f *fakeQuantTensor[T]) observeAll(j *fakeQuantJob) error {
	for _, in := range j.inputs {
		if err := f.observe(j, in); err != nil {
			return err
		}
	}
	return nil
}

// observe does a pass as far as it moves the parameters.
func (f *fakeQuantTensor[T]) observe(j *fakeQuantJob, in *safetensors.File) error {
	name := f.info.Name
	info, _ := in.Lookup(name)
	shape := info.Shape.Dims()
	var ranges quant.Ranges
	observe := func() error { return f.q.ObserveRanges(shape, &ranges) }
	var see func(piece quant.Part, x []T) error // what is to be known of each piece first
	p, err := f.pieces(j, info)
	switch {
	case errors.Is(err, quant.ErrDisabled), info.Elements() == 0: // which the quantizer is to hear of
	case err != nil:
		return inTensor(in, name, err)
	case f.q.Spec().Calculator.Name == "histogram":
		h := quantizers.NewHistogram[T]()
		var counting sync.Mutex
		see = func(_ quant.Part, x []T) error {
			counting.Lock()
			defer counting.Unlock()
			h.Add(x)
			return nil
		}
		observe = func() error { return quantizers.ObserveHistogram(f.q, shape, h) }
	case f.q.Spec().Searches():
		whole := quant.Tensor[T]{Data: make([]T, info.Elements()), Shape: shape}
		see = func(piece quant.Part, x []T) error {
			copy(whole.Data[piece.First:], x)
			return nil
		}
		observe = func() error { return f.q.Observe(whole) }
	case !f.q.Disabled() && f.q.ObserverEnabled() && !p.Fixed():
		see = func(piece quant.Part, x []T) error { return p.Observe(&ranges, piece, x) }
	}
	if see != nil {
		earlier := j.last != nil && in != j.last // the last is looked at when it is quantized
		err := f.each(j, in, p, func(_ *workspace, piece quant.Part, x []T) error {
			if earlier {
				if err := lookFor(&j.nonFiniteFlag, &f.odd, in, name, x, piece.First); err != nil {
					return err
				}
			}
			if err := see(piece, x); err != nil {
				return inTensor(in, name, err)
			}
			return nil
		})
		if err == nil {
			err = j.wait()
		}
		if err != nil {
			return err
		}
	}
	if err := observe(); err != nil {
		return inTensor(in, name, err)
	}
	return nil
}

// each begins to do the pieces of the tensor as it is in one of the files.
func (f *fakeQuantTensor[T]) each(j *fakeQuantJob, in *safetensors.File, p quantizers.Pieces[T], do func(ws *workspace, piece quant.Part, x []T) error) error {
	for piece := range p.Cut(p.Whole(), pieceLen[T]()) {
		if err := j.do(func(ws *workspace) error {
			x, err := f.read(j, in, &ws.in, piece)
			if err != nil {
				return err
			}
			return do(ws, piece, x)
		}); err != nil {
			return err
		}
	}
	return nil
}

// pieces cuts the tensor as it is in one of the files.
func (f *fakeQuantTensor[T]) pieces(j *fakeQuantJob, info safetensors.Info) (quantizers.Pieces[T], error) {
	return quantizers.NewPieces[T](j.Spec.Spec, j.target, info.Shape.Dims(), false, nil)
}

// fakeQuantize does the last pass but for its observation. Each piece is done in place.
func (f *fakeQuantTensor[T]) fakeQuantize(j *fakeQuantJob) error {
	name := f.info.Name
	params, err := f.q.Params()
	if err != nil {
		return inTensor(j.last, name, err)
	}
	if !slices.Equal(params.Shape, f.groups) {
		return refuse(j.last, name, "has groups of the shape %s, but its parameters have %s", shapeText(f.groups), shapeText(params.Shape))
	}
	if err := f.writeParameters(j, params); err != nil {
		return err
	}
	p, err := f.pieces(j, f.info)
	if err != nil {
		return inTensor(j.last, name, err)
	}
	kind := j.mask
	if j.grad != nil && kind == quant.NoMask {
		kind = quant.BitMask // for the gradient alone
	}
	return f.each(j, j.last, p, func(ws *workspace, piece quant.Part, x []T) error {
		if err := lookFor(&j.nonFiniteFlag, &f.odd, j.last, name, x, piece.First); err != nil {
			return err
		}
		mask := quant.Mask{Kind: kind, Data: lend[uint8](&ws.out, piece.Len)}
		if err := p.FakeQuantizeBy(params, x, &mask, piece, x); err != nil {
			return inTensor(j.last, name, err)
		}
		if err := f.write(j, name, piece, x); err != nil {
			return err
		}
		if j.mask != quant.NoMask {
			off := int64(piece.First)
			if j.mask == quant.BitMask {
				off /= 8
			}
			if err := put(j.stream, j.out, name+maskSuffix, mask.Data, off); err != nil {
				return err
			}
		}
		if j.grad == nil {
			return nil
		}
		dy, err := f.read(j, j.grad, &ws.in, piece)
		if err != nil {
			return err
		}
		dx := quant.Tensor[T]{Data: dy, Shape: []int{piece.Len}}
		if err := f.q.Backward(&dx, dx, mask); err != nil {
			return inTensor(j.grad, name, err)
		}
		return f.write(j, name+gradSuffix, piece, dx.Data)
	})
}

// writeParameters writes the tensor's parameters.
func (f *fakeQuantTensor[T]) writeParameters(j *fakeQuantJob, p quant.Params) error {
	if err := put(j.stream, j.out, f.info.Name+scaleSuffix, p.Scale, 0); err != nil || j.Spec.DType.IsFloat() {
		return err
	}
	if err := put(j.stream, j.out, f.info.Name+zeroPointSuffix, p.ZeroPoint, 0); err != nil {
		return err
	}
	return put(j.stream, j.out, f.info.Name+minvalSuffix, p.MinVal, 0)
}

// read reads a piece of the tensor as it is in a file. The last input is read twice.
func (f *fakeQuantTensor[T]) read(j *fakeQuantJob, in *safetensors.File, m *memory, piece quant.Part) ([]T, error) {
	x := lend[T](m, piece.Len)
	times := int64(1)
	if in == j.last {
		times = 2
	}
	return x, getAgain(j.stream, in, f.info.Name, x, int64(piece.First)*sizeOf[T](), times)
}

// write writes a piece of the tensor, or of one of its shape and type.
func (f *fakeQuantTensor[T]) write(j *fakeQuantJob, name string, piece quant.Part, x []T) error {
	return put(j.stream, j.out, name, x, int64(piece.First)*sizeOf[T]())
}
