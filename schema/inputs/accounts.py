"""Inputs of registering and logging in."""

import strawberry


@strawberry.input(description="Who wants an account.")
class RegisterInput:
    """A new account's name and keys."""

    email: str = strawberry.field(description="The address to log in with; upper and lower case are equal.")
    password: str = strawberry.field(description="8 to 256 characters, any of them.")
    name: str = strawberry.field(description="How others see the person, 1 to 200 characters.")


@strawberry.input(description="Who wants to log in.")
class LoginInput:
    """The keys to an account."""

    email: str = strawberry.field(description="The account's address.")
    password: str = strawberry.field(description="The account's password.")
    code: str | None = strawberry.field(
        description="The second factor's code; accounts that have no second factor ignore it."
    )
