package quant

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lowbit-go/lowbit/kernels"
)

// FakeQuantizer quantizes the tensors that pass through one place of a model: a weight, an activation, a lookup table.
// It observes their ranges, keeps the parameters, and uses them. Make one with New or NewGiven, for each place one; that of
// no constructor passes tensors unchanged.
//
// FakeQuantize, Quantize, QuantizeValues and Observe are forward passes: while the observer is on, each observes its tensor first.
// The parameters' shape is that of the first tensor observed; a later tensor that has another number of groups is an error, unless
// the calculator is dynamic. A tensor without elements passes, and changes nothing.
//
// A block size that does not divide its axis disables the quantizer for good, with one warning; tensors then pass unchanged.
//
// A FakeQuantizer may be used by several goroutines at a time. Passes that observe run one after another, and so do those with a user's
// own QuantizeStep; all others run side by side, and those of a dynamic calculator without a range calculator, of which the last to end
// leaves the parameters. After the first pass of a shape, none allocates memory.
type FakeQuantizer[T kernels.Float] struct {
	// Name is the tensor's, for the warning. It and the other fields are to be set before the first use.
	Name string
	// Workers is the greatest number of goroutines for a pass, 0 or 1 for the caller's alone. Each gets 2^19 elements at least, or
	// 2^15 where scales are searched for. Results do not depend on it.
	Workers int
	// Logger gets the warning; nil is slog.Default().
	Logger *slog.Logger
	// Importance, unless it is nil, has a weight for each position along the last axis, such as an Importance's: the range calculator "mse" multiplies
	// squared errors by it. Others take none. It may have as many for each of several matrices, such as those of experts, one behind the other.
	Importance []float32

	// RequireFinite makes a NaN or an infinity in a tensor an ErrNonFinite, before anything has changed. Otherwise it goes through the arithmetic,
	// as in the reference: into the scale of its group, whose codes it makes 0, and with a moving average into all scales after it.
	RequireFinite bool

	spec     Spec
	target   Target
	given    bool // parameters are from elsewhere
	ranges   RangeCalculator
	quantize QuantizeStep
	disabled atomic.Bool
	vector   atomic.Pointer[vectorWay] // nil: it is to be made

	kept        sync.Mutex   // guards the parameters that dynamic passes leave, which hold mu for reading
	mu          sync.RWMutex // guards what follows
	format      format
	observer    observer
	observerOn  bool
	fakeQuantOn bool
	export      bool
	undivided   error // of given parameters by which nothing can be quantized
	schedule    *QATSchedule
	step        int
	least, most [1]T // of a vector
	low, high   [1]float32
}

// New makes a quantizer. A Spec and a Target make any number of them.
// The error is an *Error of kind ErrSpec.
func New[T kernels.Float](spec Spec, target Target) (*FakeQuantizer[T], error) {
	if err := spec.validateFor(target); err != nil {
		return nil, err
	}
	e := arithmeticOf[T]()
	a, err := spec.resolvedFor(target).algorithms(e)
	if err != nil {
		return nil, err
	}
	spec = spec.resolved()
	return &FakeQuantizer[T]{
		spec: spec, target: target, format: newFormat(spec), observerOn: true, fakeQuantOn: true,
		ranges: a.ranges, quantize: a.quantize, observer: newObserver(spec, a.calculator, e),
	}, nil
}

// NewGiven makes a quantizer with parameters from elsewhere, a checkpoint or another tool. It has no observer: the parameters never change.
// They are checked (ErrParams): a Shape that the granularity makes of a tensor, or none for one scale; one for each group of Shape; scales
// finite, and powers of two with ScaleE8M0; zero points within the quantized range, or none for 0; a finite MinVal with the MinVal formulation.
// A scale may be 0, as that of a block of zeros is elsewhere: then to quantize is the error.
func NewGiven[T kernels.Float](spec Spec, target Target, params Params) (*FakeQuantizer[T], error) {
	if spec.Calculator.Name == "dynamic" {
		return nil, specError("qparam_calculator_cls", spec.Calculator.Name, "another calculator, as the parameters are given")
	}
	q, err := New[T](spec, target)
	if err != nil {
		return nil, err
	}
	if err := params.check(&q.format, given, 0); err != nil {
		return nil, err
	}
	if err := spec.Granularity.fits(params.Shape, target); err != nil {
		return nil, err
	}
	q.give(params)
	q.observer.observed, q.observer.calculator = true, nil
	q.given, q.observerOn = true, false
	return q, nil
}

// give takes parameters that were checked.
func (q *FakeQuantizer[T]) give(params Params) {
	q.observer.params, q.undivided = params.complete(&q.format), params.checkDivisors(0)
}

// Spec returns what the quantizer was made from, with its present granularity.
func (q *FakeQuantizer[T]) Spec() Spec {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.spec
}

// String returns what the reference's extra_repr does: qformulation=zp, observer=on, fake_quant=on.
func (q *FakeQuantizer[T]) String() string {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return fmt.Sprintf("qformulation=%v, observer=%s, fake_quant=%s", q.spec.Formulation, onOff(q.observerOn), onOff(q.fakeQuantOn))
}

// Params returns a copy of the present parameters, those of the last pass (the reference's calculate_qparams).
// Before any tensor was observed it is an ErrNotObserved.
func (q *FakeQuantizer[T]) Params() (Params, error) {
	if q == nil {
		return Params{}, missing("FakeQuantizer")
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	q.kept.Lock()
	defer q.kept.Unlock()
	if !q.observer.observed {
		return Params{}, q.notObserved()
	}
	return q.observer.params.clone(), nil
}

func (q *FakeQuantizer[T]) notObserved() error {
	return &Error{ErrNotObserved, q.label(), "not observed", "a forward pass with the observer on first"}
}

// label names the tensor in a message.
func (q *FakeQuantizer[T]) label() string {
	if q.Name == "" {
		return "tensor"
	}
	return fmt.Sprintf("tensor %q", q.Name)
}

// FakeQuantize quantizes x and dequantizes it again, into dst, which may be x itself, and writes the mask that Backward takes, if mask is
// not nil.
// Computation is in float32, and is rounded to T once. NaN stays NaN, and has mask 0; what is outside the range is clamped, and has mask 0.
// While fake-quantization is off, and when the quantizer is disabled, dst is x and the mask is empty.
func (q *FakeQuantizer[T]) FakeQuantize(dst *Tensor[T], x Tensor[T], mask *Mask) error {
	if dst == nil {
		return missing("dst")
	}
	if mask != nil && mask.Kind > BitMask {
		return shapeError("Mask.Kind", mask.Kind, "NoMask, ByteMask or BitMask")
	}
	if q.fakeQuantizeVector(dst, &x, mask) {
		return nil
	}
	p, err := q.begin(x)
	if err != nil {
		return err
	}
	defer q.end(p)
	faked := p.tiling != nil && q.fakeQuantOn
	if faked {
		p.writesFakes()
	}
	if err := q.ready(p); err != nil {
		return err
	}
	if err := dst.apart(x.Data); err != nil {
		return err
	}
	p.y = dst.like(x.Shape, len(x.Data))
	if mask != nil {
		n := 0
		if faked {
			n = mask.Kind.bytes(len(x.Data))
		}
		mask.Data = grow(mask.Data, n)
		p.mask = *mask
	}
	q.run(p)
	if !faked {
		copy(dst.Data, x.Data)
	}
	return nil
}

// Observe observes x, if the observer is on, and does nothing else.
func (q *FakeQuantizer[T]) Observe(x Tensor[T]) error {
	p, err := q.begin(x)
	if err != nil {
		return err
	}
	defer q.end(p)
	if err := q.ready(p); err != nil {
		return err
	}
	q.run(p)
	return nil
}

// Quantize writes the codes of x to dst, with their parameters. NaN has code 0 if the format has no NaN. It does not ask whether
// fake-quantization is on. A disabled quantizer has no codes: ErrDisabled.
func (q *FakeQuantizer[T]) Quantize(dst *Codes, x Tensor[T]) error {
	if dst == nil {
		return missing("dst")
	}
	if q.quantizeVector(dst, &x) {
		return nil
	}
	p, err := q.beginCodes(x)
	if err != nil {
		return err
	}
	defer q.end(p)
	p.writesCodes()
	l := newLines(q.spec.DType, x.Shape, dst.Packed)
	if err := l.check(x.Shape); err != nil {
		return err
	}
	if err := q.ready(p); err != nil {
		return err
	}
	dst.Spec = q.spec
	dst.Shape = copyShape(dst.Shape, x.Shape)
	dst.Data = grow(dst.Data, l.total(len(x.Data)))
	p.codes, p.lines = dst.Data, l
	q.run(p)
	if p.tiling != nil {
		dst.Params.copyFrom(p.params)
		dst.Params.Shape = copyShape(dst.Params.Shape, p.tiling.groups)
	} else {
		dst.Params = Params{}
	}
	return nil
}

// QuantizeValues writes the values of x's codes to dst, as T (the reference's cast_to_target_dtype=False); NaN stays NaN.
// It does not ask whether fake-quantization is on. A disabled quantizer has no codes: ErrDisabled.
func (q *FakeQuantizer[T]) QuantizeValues(dst *Tensor[T], x Tensor[T]) error {
	if dst == nil {
		return missing("dst")
	}
	p, err := q.beginCodes(x)
	if err != nil {
		return err
	}
	defer q.end(p)
	p.writesCodeValues()
	if err := q.ready(p); err != nil {
		return err
	}
	if err := dst.apart(x.Data); err != nil {
		return err
	}
	p.y = dst.like(x.Shape, len(x.Data))
	q.run(p)
	return nil
}

// Backward writes dy * mask to dx: the gradient by the straight-through estimator. The product is that of IEEE 754: a NaN times 0 is a NaN.
// An empty mask lets all gradients pass. It looks at nothing of q but Workers.
func (q *FakeQuantizer[T]) Backward(dx *Tensor[T], dy Tensor[T], mask Mask) error {
	switch {
	case q == nil:
		return missing("FakeQuantizer")
	case dx == nil:
		return missing("dx")
	}
	if err := dy.check("dy"); err != nil {
		return err
	}
	n := len(dy.Data)
	if want := mask.Kind.bytes(n); len(mask.Data) != 0 && len(mask.Data) != want {
		return shapeError("len(Mask.Data)", len(mask.Data), "%d, as the shape is %s", want, shapeString(dy.Shape))
	}
	if err := dx.apart(dy.Data); err != nil {
		return err
	}
	dx.like(dy.Shape, n)
	if len(mask.Data) == 0 {
		copy(dx.Data, dy.Data)
		return nil
	}
	p := newPass[T]()
	defer p.release()
	p.x, p.y, p.mask, p.size = dy.Data, dx.Data, mask, n
	p.writesGradients()
	p.do(q.Workers)
	return nil
}

// begin checks x and locks q, exclusively if x is to be observed for more than this pass. The pass has no tiling if x passes unchanged.
func (q *FakeQuantizer[T]) begin(x Tensor[T]) (*pass[T], error) {
	if q == nil {
		return nil, missing("FakeQuantizer")
	}
	if err := x.check("x"); err != nil {
		return nil, err
	}
	p, err := q.beginShape(x.Shape, len(x.Data))
	if err == nil {
		p.x = x.Data
	}
	return p, err
}

// beginShape is begin for elements that come later.
func (q *FakeQuantizer[T]) beginShape(shape []int, size int) (*pass[T], error) {
	p := newPass[T]()
	p.size = size
	q.mu.RLock()
	switch o := &q.observer; {
	case q.observes() && o.dynamic && o.alone() && q.ranges == nil && q.quantize == nil:
		params := p.ownObserver.params // memory
		p.observer, p.ownObserver = &p.ownObserver, observer{
			arithmetic: o.arithmetic, format: o.format, round: o.round, ends: o.ends, dynamic: true, params: params,
		}
	case q.observes() || q.quantize != nil:
		q.mu.RUnlock()
		q.mu.Lock()
		p.exclusive = true
	}
	if p.size == 0 || q.disabled.Load() {
		return p, nil
	}
	if err := q.tile(p, shape); err != nil {
		q.end(p)
		return nil, err
	}
	return p, nil
}

// beginCodes is begin for codes, which a disabled quantizer has not.
func (q *FakeQuantizer[T]) beginCodes(x Tensor[T]) (*pass[T], error) {
	p, err := q.begin(x)
	if err != nil {
		return nil, err
	}
	if p.tiling == nil && p.size > 0 {
		q.end(p)
		return nil, &Error{ErrDisabled, q.label(), "passed unquantized", "a block size that divides its axis"}
	}
	return p, nil
}

// end keeps what the pass found by itself, and unlocks q.
func (q *FakeQuantizer[T]) end(p *pass[T]) {
	if o := p.observer; o == &p.ownObserver && o.observed {
		q.kept.Lock()
		q.observer.params.copyFrom(&o.params)
		q.observer.observed = true
		q.kept.Unlock()
	}
	if p.exclusive {
		q.mu.Unlock()
	} else {
		q.mu.RUnlock()
	}
	p.release()
}

// observes tells whether a pass moves the parameters.
func (q *FakeQuantizer[T]) observes() bool {
	return q.observerOn && !q.export && !q.observer.frozen() && !q.disabled.Load()
}

// ready sets up what the pass has to do, and checks that there are parameters for it.
func (q *FakeQuantizer[T]) ready(p *pass[T]) error {
	t, o := p.tiling, &q.observer
	if t == nil {
		return nil
	}
	observes := p.observer != nil || p.exclusive && q.observes()
	switch {
	case !observes && p.out == nil:
		p.tiling = nil // nothing to do
		return nil
	case q.undivided != nil && p.out != nil:
		return q.undivided
	case !o.dynamic && o.observed && !slices.Equal(o.params.Shape, t.groups) && !(q.given && len(o.params.Scale) == 1 && t.count == 1):
		return shapeError("the groups' shape of "+q.label(), t.groups, "%s, that of the parameters", shapeString(o.params.Shape))
	case !observes && !o.observed:
		return q.notObserved()
	}
	if p.observer != nil {
		o = p.observer
	} else if observes {
		p.observer, p.ranges = o, q.ranges
		var err error
		if p.importance, err = newColumnWeights(q.Importance, q.ranges, t); err != nil {
			return err
		}
	}
	p.format, p.params, p.step = &q.format, &o.params, q.quantize
	if q.RequireFinite && p.x != nil && !p.checkFinite(q.Workers) {
		return nonFinite(q.label(), p.x)
	}
	return nil
}

// run does the pass.
func (q *FakeQuantizer[T]) run(p *pass[T]) {
	if p.tiling == nil {
		return
	}
	o := p.observer
	if o != nil {
		o.resize(p.tiling.groups, p.tiling.count)
	}
	p.do(q.Workers)
	if o != nil {
		o.observed = true
	}
}

// tile gives a pass the tiling of a shape, or none if a block does not divide its axis, whereupon q is disabled.
func (q *FakeQuantizer[T]) tile(p *pass[T], shape []int) error {
	groups, err := q.spec.groups(p.groups, shape, q.target)
	if errors.Is(err, ErrDisabled) {
		if q.disabled.CompareAndSwap(false, true) {
			q.warn(shape)
		}
		return nil
	}
	if err != nil {
		return err
	}
	p.groups, p.tiling = groups, &p.ownTiling
	p.tiling.resolveBlocks(shape, groups, q.spec.Granularity.blocks(shape, groups))
	return nil
}

func (q *FakeQuantizer[T]) warn(shape []int) {
	log := q.Logger
	if log == nil {
		log = slog.Default()
	}
	log.Warn("block size does not divide its axis: the tensor is not quantized from now on",
		"tensor", q.Name, "target", q.target.String(), "shape", shapeString(shape), "granularity", q.spec.Granularity.String())
}
