"""A small library, with one of everything that the kit has words for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

from tidings import (
    Aggregate,
    By,
    Cancel,
    Command,
    Delete,
    Event,
    Key,
    Later,
    Rejected,
    Retry,
    Row,
    Rows,
    Saga,
    Service,
    System,
    Temporary,
    Tick,
    Topic,
    Transaction,
    days,
    hours,
    minutes,
    seconds,
    step,
)

books = Topic("book-events", partitions=4)
readers = Topic("reader-events", partitions=4)


class BookEvent(Event, topic=books):
    book: Key[str]


class Borrowed(BookEvent):
    reader: str


class Returned(BookEvent):
    pass


class Damaged(Event):  # private to its stream
    book: Key[str]


class Borrow(Command[Borrowed]):
    book: Key[str]
    reader: str


class GiveBack(Command[Returned]):
    book: Key[str]
    damaged: bool = False


class Book(Aggregate):
    reader: str = ""
    damages: int = 0

    def apply(self, event: Borrowed | Returned | Damaged) -> None:
        match event:
            case Borrowed(reader=reader):
                self.reader = reader
            case Returned():
                self.reader = ""
            case Damaged():
                self.damages += 1


lending = Service("lending")


@lending.command
def borrow(command: Borrow, book: Book) -> Borrowed:
    if book.reader:
        raise Rejected(f"{book.reader} has it")
    if book.damages > 1:
        raise ValueError("it falls apart")
    return Borrowed(book=command.book, reader=command.reader)


@lending.command
def give_back(command: GiveBack, book: Book) -> tuple[Returned] | tuple[Returned, Damaged]:
    back = Returned(book=command.book)
    return (back, Damaged(book=command.book)) if command.damaged else (back,)


# ---- reminders -----------------------------------------------------------------------------------------------------


class Post(Protocol):
    async def send(self, reader: str, text: str) -> None: ...


class Letters:
    """A post that can be out of order: the first so many letters are not taken."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.sent = failures, list[str]()

    async def send(self, reader: str, text: str) -> None:
        if self.failures:
            self.failures -= 1
            raise Temporary("the office is closed")
        self.sent.append(f"{reader}: {text}")


class Remind(Command):
    book: Key[str]
    reader: str


class Reminded(Event, topic=readers):
    reader: Key[str]
    book: str


class OnLoan(Row, table="on_loan"):
    book: Key[str]
    reader: str
    reminders: int = 0


reminders = Service("reminders", retry=Retry(first=seconds(10), factor=2, attempts=3))


@reminders.resource
def post() -> Post:
    return Letters()


@reminders.on
def lent(event: Borrowed) -> tuple[OnLoan, Later[Remind]]:
    loan = OnLoan(book=event.book, reader=event.reader)
    return loan, Later(Remind(book=event.book, reader=event.reader), after=days(28))


@reminders.on
def back(event: Returned, loan: OnLoan | None) -> tuple[Cancel[Remind], Delete[OnLoan]] | Cancel[Remind]:
    forget = Cancel(Remind, key=event.book)
    return (forget, Delete(loan)) if loan is not None else forget


@reminders.command
async def remind(command: Remind, loan: OnLoan, post: Post) -> tuple[Reminded, OnLoan]:
    await post.send(command.reader, f"{command.book} is overdue")
    loan.reminders += 1
    return Reminded(reader=command.reader, book=command.book), loan


# ---- read models, a count a day ------------------------------------------------------------------------------------


class Reader(Row, table="readers"):
    reader: Key[str]
    books: int = 0
    last: str = ""


statistics = Service("statistics")
borrowers = statistics.projection(Reader)


@borrowers.on
def count(event: Borrowed, reader: Annotated[Reader, By("reader")]) -> Reader:
    reader.books += 1
    reader.last = event.book
    return reader


titles = statistics.projection(ddl="create table titles (book text primary key, lent integer not null)")


@titles.on
def title(event: Borrowed, tx: Transaction) -> None:
    tx.execute(
        "insert into titles values (:book, 1) on conflict (book) do update set lent = lent + 1", {"book": event.book}
    )


class DayCounted(Event, topic=readers, unordered=True):
    readers: int


@statistics.every(hours(24))
async def day(tick: Tick, rows: Rows[Reader]) -> DayCounted:
    return DayCounted(readers=await rows.count())


# ---- a saga whose steps have other keys ----------------------------------------------------------------------------


class Ordered(Event, topic=readers):
    reader: Key[str]
    book: str


class Bought(Event, topic=books):
    isbn: Key[str]


class SentBack(Event, topic=books):
    isbn: Key[str]


class Buy(Command[Bought]):
    isbn: Key[str]


class SendBack(Command[SentBack]):
    isbn: Key[str]


class Announce(Command[Reminded]):
    reader: Key[str]
    book: str


acquisition = Service("acquisition")


@acquisition.saga
class Acquire(Saga[Ordered], timeout=days(60)):
    @step
    def buy(self) -> Buy:
        return Buy(isbn=f"isbn-{self.start.book}")

    @buy.undo
    def send_back(self) -> SendBack:
        return SendBack(isbn=self.buy.done.isbn)

    @step(timeout=minutes(10), undoable=False)
    def announce(self) -> Announce:
        return Announce(reader=self.start.reader, book=self.start.book)


# ---- slips ---------------------------------------------------------------------------------------------------------


class Fee(Row, table="fees"):
    reader: Key[str]
    cents: int = 0
    paid: bool = False


class Charge(Command):
    reader: Key[str]
    cents: int


class Charged(Event, topic=readers):
    reader: Key[str]


class Refused(Event, topic=readers):
    reader: Key[str]


class Pay(Command[Charged, Refused]):
    reader: Key[str]
    cents: int


fees = Service("fees")


@fees.command
def charge(command: Charge, fee: Fee) -> Fee | None:
    fee.cents += command.cents
    return None if command.cents < 100 else fee


@fees.command
def pay(command: Pay, fee: Fee) -> tuple[Charged, Fee] | Refused:
    fee.cents -= command.cents
    if fee.cents < 0:
        return Refused(reader=command.reader)
    return Charged(reader=command.reader), fee


parts: Sequence[Service] = [lending, reminders, statistics]
library = System("library", parts)
