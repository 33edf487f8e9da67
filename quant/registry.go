package quant

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Algorithm names an algorithm that was registered, and gives its arguments. In JSON it is its name or, with arguments, an object:
// {"name":"moving_average","constant":0.05}.
type Algorithm struct {
	Name      string // "" is the default
	Arguments string // a JSON object without the name; "" is one without fields
}

// String prints the Algorithm as its JSON.
func (a Algorithm) String() string {
	b, err := a.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// MarshalJSON writes the name alone where there are no arguments.
func (a Algorithm) MarshalJSON() ([]byte, error) {
	fields, err := a.fields(a.Name)
	if err != nil {
		return nil, err
	}
	name, err := json.Marshal(a.Name)
	if err != nil || len(fields) == 0 {
		return name, err
	}
	object := append([]byte(`{"name":`), name...)
	for _, f := range fields {
		key, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		object = append(append(append(append(object, ','), key...), ':'), f.value...)
	}
	return append(object, '}'), nil
}

// UnmarshalJSON reads a name, or an object with a name and arguments.
func (a *Algorithm) UnmarshalJSON(data []byte) error {
	parsed, err := parseAlgorithm(field{"algorithm", data})
	if err == nil {
		*a = parsed
	}
	return err
}

func parseAlgorithm(f field) (Algorithm, error) {
	if !strings.HasPrefix(string(f.value), "{") {
		name, err := stringField(f)
		if err != nil {
			return Algorithm{}, f.error("a name in quotes, or an object with a name and arguments")
		}
		return Algorithm{Name: name}, nil
	}
	fields, err := object(f.name, f.value)
	if err != nil {
		return Algorithm{}, err
	}
	at := slices.IndexFunc(fields, func(f field) bool { return f.name == "name" })
	if at < 0 {
		return Algorithm{}, &Error{ErrSpec, f.name + ".name", "not given", "a name in quotes"}
	}
	name := fields[at]
	name.name = f.name + ".name"
	a := Algorithm{}
	if a.Name, err = stringField(name); err != nil || len(fields) == 1 {
		return a, err
	}
	arguments := make(map[string]json.RawMessage)
	for _, f := range slices.Delete(fields, at, at+1) {
		arguments[f.name] = f.value
	}
	text, err := json.Marshal(arguments) // one text for arguments in any order
	a.Arguments = string(text)
	return a, err
}

// fields returns the arguments; in errors they are those of the spec's field of that name.
func (a Algorithm) fields(name string) ([]field, error) {
	if a.Arguments == "" {
		return nil, nil
	}
	return object(name, []byte(a.Arguments))
}

// A Request is what the constructor of an algorithm is asked with, each time that a Spec is validated and that a quantizer is made.
type Request struct {
	// Spec is the quantizer's; all of it but what the constructors say is valid.
	Spec Spec
	// Round rounds to the tensor's element type; to float32, and so not at all, where a Spec is only validated.
	Round func(float32) float32

	arithmetic

	field     string
	algorithm Algorithm
}

// Arguments puts the arguments into the fields of the struct that v points to, each into the one whose json tag is its name. What is not
// given stays as it is, so that defaults are set before. An argument without a field, or of another type, is an ErrSpec that names it.
func (r Request) Arguments(v any) error {
	fields, err := r.algorithm.fields(r.field)
	if err != nil {
		return err
	}
	into := reflect.ValueOf(v).Elem()
	var names []string
	for i := range into.NumField() {
		names = append(names, into.Type().Field(i).Tag.Get("json"))
	}
	for _, f := range fields {
		at := slices.Index(names, f.name)
		f.name = r.field + "." + f.name
		if at < 0 {
			want := "no arguments"
			if len(names) > 0 {
				want = oneOf(names)
			}
			return &Error{ErrSpec, f.name, "not an argument of " + show(r.algorithm.Name), want}
		}
		if f.null() || json.Unmarshal(f.value, into.Field(at).Addr().Interface()) != nil {
			return f.error("of type " + into.Field(at).Type().String())
		}
	}
	return nil
}

// Error returns an ErrSpec that names an argument, its value and what is allowed.
func (r Request) Error(argument string, value any, want string) error {
	return specError(r.field+"."+argument, value, want)
}

// registry maps names to the constructors of a kind of algorithm, those that a field of a Spec may name.
type registry[I any] struct {
	field string
	mu    sync.RWMutex
	news  map[string]func(Request) (I, error)
}

// register panics on what only a programmer can get wrong, as database/sql does.
func (r *registry[I]) register(name string, new func(Request) (I, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.news[name]; taken || name == "" || new == nil {
		panic(fmt.Sprintf("quant: cannot register %q: the name is taken or empty, or the constructor is nil", name))
	}
	if r.news == nil {
		r.news = make(map[string]func(Request) (I, error))
	}
	r.news[name] = new
}

// make makes an algorithm for a spec, which may be valid but for this.
func (r *registry[I]) make(a Algorithm, s Spec, e arithmetic) (made I, err error) {
	r.mu.RLock()
	new, ok := r.news[a.Name]
	r.mu.RUnlock()
	if !ok {
		return made, specError(r.field, a.Name, oneOf(r.names()))
	}
	made, err = new(Request{Spec: s, Round: e.element.round, arithmetic: e, field: r.field, algorithm: a})
	if err == nil && any(made) == nil {
		err = specError(r.field, a.Name, "one whose constructor returns no nil")
	}
	return made, err
}

// names lists what is registered.
func (r *registry[I]) names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.news))
}

// without is the constructor of an algorithm that takes no arguments.
func without[I any](i I) func(Request) (I, error) {
	return func(r Request) (I, error) { return i, r.Arguments(&struct{}{}) }
}
