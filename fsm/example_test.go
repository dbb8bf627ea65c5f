package fsm_test

import (
	"errors"
	"fmt"

	"mcpproxy/fsm"
)

// A push with the right key starts the motor; when it is done the door is open
// and, in the same step, the lamp is lit.
func Example() {
	door := newDoor(options{})
	outcome, err := door.Fire(input{Event: push, At: noon, Actor: fsm.Person, Payload: payload{"k"}})
	fmt.Println(outcome.From, "->", outcome.To, err)

	epoch := door.Snapshot().Region("door").Epoch
	outcome, err = door.Fire(input{Event: opened, At: noon, Epoch: epoch})
	fmt.Println(outcome.From, "->", outcome.To, err)
	fmt.Println("the lamp is", door.Snapshot().Region("lamp").State)
	// Output:
	// Shut -> Opening <nil>
	// Opening -> Open <nil>
	// the lamp is Lit
}

// A refused event is a typed error that says what is accepted now, and the
// machine is exactly as before.
func ExampleIllegalTransitionError() {
	door := newDoor(options{})
	before := door.Snapshot()
	_, err := door.Fire(input{Event: knock, At: noon})
	var illegal *fsm.IllegalTransitionError
	fmt.Println(errors.As(err, &illegal), illegal.State, illegal.Accepted, door.Snapshot() == before)
	fmt.Println(err)
	// Output:
	// true Shut [Push] true
	// illegal transition refused: front: Knock in state Shut (door, epoch 1): nobody hears it; accepted now: Push
}

// Someone who wants what is under way already joins it.
func ExampleMachine_Fire_joined() {
	door := newDoor(options{})
	_, _ = door.Fire(input{Event: push, At: noon, Payload: payload{"k"}})
	outcome, err := door.Fire(input{Event: push, At: noon, Payload: payload{"k"}})
	fmt.Println(outcome.Disposition, outcome.Reason, err)
	// Output: joined it opens already <nil>
}
