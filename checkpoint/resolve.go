package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Methods, as config.json's quant_method names them.
const (
	methodCT    = "compressed-tensors"
	methodFP8   = "fp8"
	methodMXFP4 = "mxfp4"
	methodGPTQ  = "gptq"
	methodAWQ   = "awq"
	methodBNB   = "bitsandbytes"
	methodOwn   = "lowbit" // which no config.json names
)

// resolver finds out which stored tensors make which tensor.
type resolver struct{ *Checkpoint }

// resolve makes the tensors of what is stored.
func (c *Checkpoint) resolve() error {
	r := &resolver{c}
	if err := r.resolveOwn(); err != nil {
		return err
	}
	q := c.config.quant
	switch {
	case q == nil && r.claimed != nil:
	case q == nil:
		r.resolveFP8(&quantConfig{Method: methodFP8, WeightBlockSize: []int{128, 128}})
		r.resolveMXFP4()
		r.resolveBNB()
		r.resolveUnknown()
	case q.Method == methodCT:
		if err := r.resolveCT(q); err != nil {
			return err
		}
	case q.Method == methodFP8:
		r.resolveFP8(q)
	case q.Method == methodMXFP4:
		r.resolveMXFP4()
	case q.Method == methodGPTQ:
		if err := r.resolveGPTQ(q); err != nil {
			return err
		}
	case q.Method == methodAWQ:
		if err := r.resolveAWQ(q); err != nil {
			return err
		}
	case q.Method == methodBNB:
		r.resolveBNB()
	default:
		return q.unsupported("quant_method %q", q.Method)
	}

	count, others := 0, 0
	for name := range c.names {
		switch t := r.claimer(name); {
		case t == nil:
			others++
			fallthrough
		case name == t.lead().Name:
			count++
		}
	}
	c.tensors = make([]*Tensor, 0, count)
	plain := make([]Tensor, 0, others) // as one, of which there may be very many
	for _, f := range c.shards {
		for i := range f.Tensors() {
			s := Stored{&f.Tensors()[i], f}
			t := r.claimer(s.Name)
			if t == nil {
				plain = append(plain, Tensor{values: s, dtype: s.DType})
				t = &plain[len(plain)-1]
			} else if s.Name != t.lead().Name {
				continue
			}
			c.tensors = append(c.tensors, t)
		}
	}
	return c.sortTensors()
}

// unsupported says that weights are quantized in a way that this package does not read.
func (q *quantConfig) unsupported(format string, args ...any) error {
	return inFile(q.path, fmt.Errorf("%s: %s is not supported", quantizationKey, fmt.Sprintf(format, args...)))
}

// builder makes a quantized tensor. Its methods do nothing once something is wrong.
type builder struct {
	*resolver
	*Tensor
	*quantized
}

// begin begins a tensor.
func (r *resolver) begin(name, method, format string) *builder {
	q := &quantized{name: name, scheme: Scheme{Method: method, Format: format}}
	return &builder{r, &Tensor{quantized: q}, q}
}

// fail says what is wrong, of a stored tensor or of one that is missing. It returns false.
func (b *builder) fail(stored, format string, args ...any) bool {
	if b.err != nil {
		return false
	}
	file := b.path
	switch s, ok := b.storedAs(stored); {
	case ok:
		file = s.File.Name()
	case len(b.parts) > 0:
		file = b.parts[0].File.Name()
	default:
		if beside, ok := b.beside(stored); ok {
			file = beside.File.Name()
		}
	}
	b.err = refuse(file, stored, format, args...)
	return false
}

// beside returns a stored tensor of the module of one that is missing.
func (c *Checkpoint) beside(missing string) (Stored, bool) {
	module := missing[:strings.LastIndexByte(missing, '.')+1]
	if i, _ := c.find(module); i < len(c.stored) && strings.HasPrefix(c.at(c.stored[i]).Name, module) {
		return c.at(c.stored[i]), true
	}
	return Stored{}, false
}

// add takes a stored tensor, if it is there.
func (b *builder) add(role Role, name string) (Stored, bool) {
	s, ok := b.storedAs(name)
	if !ok {
		return s, false
	}
	switch owner := b.claimer(name); owner {
	case b.Tensor:
	case nil:
		b.claim(name, b.Tensor)
		b.parts = append(b.parts, Part{role, s})
	default:
		b.fail(name, "belongs to %q and to %q", owner.Name(), b.name)
		return s, false
	}
	return s, true
}

// need takes a stored tensor that has to be there, of one of some types.
func (b *builder) need(role Role, name string, types ...safetensors.DType) (Stored, bool) {
	s, ok := b.add(role, name)
	if !ok {
		b.fail(name, "is missing, though %s says that %q is quantized", b.says(), b.name)
		return s, false
	}
	if !slices.Contains(types, s.DType) {
		b.fail(name, "is %v, want %s", s.DType, typeNames(types))
		return s, false
	}
	return s, b.err == nil
}

// says names what says how the tensor is quantized.
func (b *builder) says() string {
	if q := b.config.quant; q != nil && b.scheme.Method == q.Method {
		return b.config.quant.path
	}
	return b.parts0Name()
}

func (b *builder) parts0Name() string {
	if len(b.parts) > 0 {
		return fmt.Sprintf("%q", b.parts[0].Name)
	}
	return "its scheme"
}

// wantShape checks the shape of a stored tensor.
func (b *builder) wantShape(s Stored, want ...int) bool {
	if b.err == nil && s.Shape != safetensors.ShapeOf(want...) {
		b.fail(s.Name, "has the shape %s, want %s", shapeText(s.dims()), shapeText(want))
	}
	return b.err == nil
}

// done ends a tensor.
func (b *builder) done(shape []int, l layout, scaleType safetensors.DType) {
	b.shape, b.dtype = shape, safetensors.BF16
	if floating(scaleType) {
		b.dtype = scaleType
	}
	if b.config.dtype != 0 {
		b.dtype = b.config.dtype
	}
	if b.err != nil {
		return
	}
	for i, d := range shape {
		if d < 1 {
			b.fail(b.parts[0].Name, "has a length of %d along axis %d", d, i)
			return
		}
	}
	b.layout = l
}

// end takes, of a tensor that something is wrong with, all that belongs to it, and gives it the shape of what is there.
func (b *builder) end(names ...string) {
	if b.err == nil {
		return
	}
	b.others(names...)
	if b.shape == nil && len(b.parts) > 0 {
		b.shape = b.parts[0].dims()
	}
}

// others takes stored tensors that do not change the values, as far as they are there.
func (b *builder) others(names ...string) {
	for _, name := range names {
		b.add(Other, name)
	}
}

// typeNames lists types.
func typeNames(types []safetensors.DType) string {
	var names []string
	for _, t := range types {
		names = append(names, t.String())
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return names[0]
}

// floats are the types of scales.
var floats = []safetensors.DType{safetensors.F32, safetensors.F16, safetensors.BF16}

// shapeText prints a shape; one of absurd rank is cut.
func shapeText(shape []int) string {
	const most = 16
	if len(shape) > most {
		return strings.TrimSuffix(safetensors.ShapeOf(shape[:most]...).String(), "]") + ",...]"
	}
	return safetensors.ShapeOf(shape...).String()
}

// names returns the names of all stored tensors, in the order of shards and tensors.
func (c *Checkpoint) names(yield func(string) bool) {
	for _, f := range c.shards {
		for _, info := range f.Tensors() {
			if !yield(info.Name) {
				return
			}
		}
	}
}

// owners returns the names of which some stored tensors are companions: without the suffix, once each.
func (c *Checkpoint) owners(suffixes ...string) (owners []string) {
	seen := map[string]bool{}
	for name := range c.names {
		for _, suffix := range suffixes {
			if owner, ok := strings.CutSuffix(name, suffix); ok && !seen[owner] {
				seen[owner] = true
				owners = append(owners, owner)
			}
		}
	}
	return owners
}

// resolveUnknown finds tensors that are quantized, of which nothing says how.
func (r *resolver) resolveUnknown() {
	var modules map[string][]string // once they are needed
	for _, c := range []struct{ codes, companion, method string }{
		{".qweight", ".qzeros", "GPTQ or AWQ"},
		{".weight_packed", ".weight_scale", methodCT},
		{".weight", ".weight_scale", methodCT},
	} {
		for _, p := range r.owners(c.codes) {
			codes, _ := r.storedAs(p + c.codes)
			if _, ok := r.storedAs(p + c.companion); !ok || r.claimer(codes.Name) != nil || floating(codes.DType) {
				continue
			}
			b := r.begin(p+".weight", "unknown", c.method)
			b.add(Codes, codes.Name)
			b.shape, b.dtype = codes.dims(), codes.DType
			b.fail(codes.Name, "is quantized by %s, as %q beside it says, but there is no %s that says how", c.method, p+c.companion, configFile)
			if modules == nil {
				modules = r.modules()
			}
			for _, name := range modules[p] {
				if name != codes.Name && r.claimer(name) == nil && !strings.HasSuffix(name, ".bias") {
					b.add(Other, name)
				}
			}
		}
	}
}

// modules returns the names of the stored tensors of each module, which is a name up to its last dot.
func (c *Checkpoint) modules() map[string][]string {
	modules := map[string][]string{}
	for name := range c.names {
		if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
			modules[name[:dot]] = append(modules[name[:dot]], name)
		}
	}
	return modules
}

// readIndex reads the groups of columns, and holds them against their number.
func (b *builder) readIndex(s Stored, groups int) []int32 {
	index := make([]int32, s.Elements())
	if err := read(s, index, 0); err != nil {
		if b.err == nil {
			b.err = err
		}
		return nil
	}
	for i, g := range index {
		if g < 0 || int(g) >= groups {
			b.fail(s.Name, "names group %d for column %d, there are %d groups", g, i, groups)
			return nil
		}
	}
	return index
}

// evenIndex gives each column the group that it is in if groups are of that size.
func evenIndex(cols, size int) []int32 {
	index := make([]int32, cols)
	for i := range index {
		index[i] = int32(i / size)
	}
	return index
}

// readSmall reads all elements of a small tensor.
func readSmall[E element](b *builder, s Stored) []E {
	values := make([]E, s.Elements())
	if err := read(s, values, 0); err != nil && b.err == nil {
		b.err = err
	}
	return values
}
