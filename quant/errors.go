package quant

import (
	"errors"
	"fmt"
	"strings"
)

// What an error of this package is about; match with errors.Is.
var (
	// ErrSpec: a Spec, or its JSON, is not valid, or not for this Target.
	ErrSpec = errors.New("invalid spec")
	// ErrShape: a tensor's data, shape, mask or group shape do not fit one another.
	ErrShape = errors.New("invalid shape")
	// ErrParams: given parameters, or those of Codes, are not valid.
	ErrParams = errors.New("invalid parameters")
	// ErrState: a saved state does not fit the quantizer.
	ErrState = errors.New("invalid state")
	// ErrNotObserved: parameters are needed before any tensor was observed.
	ErrNotObserved = errors.New("no parameters yet")
	// ErrDisabled: codes are asked of a quantizer that is disabled, because a block does not divide an axis.
	ErrDisabled = errors.New("quantizer is disabled")
	// ErrNonFinite: a tensor has a NaN or an infinity, and is to have none.
	ErrNonFinite = errors.New("not finite")
	// ErrNil: a pointer is nil that has to point to something.
	ErrNil = errors.New("nothing is pointed to")
	// ErrFixed: something is to be changed that this quantizer cannot change, or cannot change any more.
	ErrFixed = errors.New("cannot be changed")
)

// Error names what is wrong: the field, its value, and what is allowed. Match its kind with errors.Is, itself with errors.As.
type Error struct {
	Kind  error  // one of the Err variables
	Field string // the field's JSON name, the tensor's name, the argument
	Value string // what was found
	Want  string // what is allowed
}

// Error gives all of it in one line.
func (e *Error) Error() string {
	return fmt.Sprintf("quant: %v: %s is %s, want %s", e.Kind, e.Field, e.Value, e.Want)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// missing is the error of a pointer that is nil.
func missing(argument string) error {
	return &Error{ErrNil, argument, "nil", "a pointer to one"}
}

func specError(field string, value any, want string) error {
	return &Error{ErrSpec, field, show(value), want}
}

// specErrorAs is specError where it is for another field that the value will not do.
func specErrorAs(field string, value any, want, other string, is any) error {
	return specError(field, value, want+", as "+other+" is "+fmt.Sprint(is))
}

func shapeError(field string, value any, want string, args ...any) error {
	return &Error{ErrShape, field, show(value), fmt.Sprintf(want, args...)}
}

func paramsError(field string, value any, want string, args ...any) error {
	return &Error{ErrParams, field, show(value), fmt.Sprintf(want, args...)}
}

// show prints a value: a string in quotes, so that an empty one can be seen, and a shape as [2,3].
func show(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case []int:
		return shapeString(v)
	}
	return fmt.Sprint(v)
}

func shapeString(shape []int) string { return strings.ReplaceAll(fmt.Sprint(shape), " ", ",") }

// oneOf prints the allowed values of a field.
func oneOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
