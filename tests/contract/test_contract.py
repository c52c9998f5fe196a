"""The contract as a gateway team gets it: typed, with scopes, and with a gRPC service config for all."""

import importlib
import json
import pkgutil
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

import langganan.credit.v1
import langganan.customers.v1
import langganan.events.v1
import langganan.loyalty.v1
import langganan.notify.v1
from kit.rpc.server import scopes_of

PACKAGES = [langganan.customers.v1, langganan.loyalty.v1, langganan.credit.v1, langganan.notify.v1]
ROOT = Path(__file__).parents[2]


def services() -> list[ServiceDescriptor]:
    found: list[ServiceDescriptor] = []
    for package in PACKAGES:
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith("_pb2"):
                pb2 = importlib.import_module(f"{package.__name__}.{module.name}")
                found += pb2.DESCRIPTOR.services_by_name.values()
    return found


# The RPCs that the product promises today, by service.
PROMISED = {
    "customers.v1.CustomerService": "CreateCustomer GetCustomer UpdateCustomer Identify EraseCustomer "
    "ExportCustomer",
    "customers.v1.PurchaseService": "RecordPurchase QuoteReturn RecordReturn GetPurchase ListPurchases "
    "ListExceptions ResolveException",
    "customers.v1.ContactService": "GetContacts SetConsent ListConsents ListBirthdays",
    "customers.v1.MerchantService": "SetMerchant GetMerchant SetStore ListStores",
    "loyalty.v1.ProgramService": "GetProgram SetProgram ListPlugins",
    "loyalty.v1.RedemptionService": "Quote Reserve Release GetReservation ListExceptions ResolveException",
    "loyalty.v1.AccountService": "GetAccount ListEntries ExplainBalance AdjustPoints",
    "loyalty.v1.TierService": "SetTier ListTiers",
    "credit.v1.AccountService": "OpenAccount GetAccount SetLimit SetTerms OverrideLimit SetStoreLimit "
    "SuspendAccount ResumeAccount CloseAccount ListChanges",
    "credit.v1.HoldService": "Authorize StreamAuthorize Capture Void ExtendHold GetHold",
    "credit.v1.AllowanceService": "GrantAllowance GetAllowance ListAllowances EndAllowance HandIn",
    "credit.v1.InvoiceService": "GetInvoices ListInvoices GetAgeing SendReminder WriteOff ListExceptions "
    "ResolveException",
    "credit.v1.PolicyService": "GetPolicy SetPolicy ListPlugins",
    "credit.v1.StatementService": "GetStatement ExplainBalance",
    "credit.v1.PaymentService": "RecordPayment ConfirmPayment ReversePayment PayOut ListPayments ListPayouts",
    "loyalty.v1.BookingService": "ListBookings",
    "credit.v1.BookingService": "ListBookings",
    "loyalty.v1.ExportService": "ExportCustomer",
    "credit.v1.ExportService": "ExportCustomer",
    "notify.v1.ExportService": "ExportCustomer",
    "notify.v1.MessageService": "SendMessage GetMessage ListMessages",
    "notify.v1.TemplateService": "GetTemplate SetTemplate PreviewTemplate ListTemplates",
}


def test_every_promised_method_exists_and_no_other() -> None:
    found = {s.full_name.removeprefix("langganan."): {m.name for m in s.methods} for s in services()}
    assert found == {name: set(methods.split()) for name, methods in PROMISED.items()}


def test_every_method_declares_a_scope_of_its_own_service() -> None:
    for service in services():
        for method, scope in scopes_of(service.full_name).items():
            assert scope.count(".") >= 1, f"{method}: {scope}"


def test_the_service_config_that_ships_covers_every_service() -> None:
    config = json.loads(resources.files("langganan").joinpath("service_config.json").read_text())
    methods, *streams = config["methodConfig"]
    assert {n["service"] for n in methods["name"]} == {s.full_name for s in services()}
    assert set(methods["retryPolicy"]["retryableStatusCodes"]) == {
        "UNAVAILABLE",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "CANCELLED",
    }
    # A stream lives as long as it is used, and its items are asked again by whoever sent them.
    own = {f"{n['service']}/{n['method']}" for each in streams for n in each["name"]}
    assert own == {f"{s.full_name}/{m.name}" for s in services() for m in s.methods if m.client_streaming}
    assert not {"timeout", "retryPolicy"} & {key for each in streams for key in each}


@pytest.mark.parametrize(
    "event",
    "CustomerRegistered CustomerUpdated CustomerMerged CustomerErased PurchaseCompleted PurchaseReturned "
    "PointsEarned PointsRedeemed PointsExpiring TierChanged InvoiceIssued InvoicePaid InvoiceWrittenOff "
    "PaymentDue PaymentOverdue PaymentReceived PaymentReversed CreditPaidOut MessageDelivered MessageFailed "
    "ContactReplied Progress".split(),
)
def test_every_event_of_the_house_is_in_the_contract(event: str) -> None:
    for module in pkgutil.iter_modules(langganan.events.v1.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"langganan.events.v1.{module.name}")
    message = descriptor_pool.Default().FindMessageTypeByName(f"langganan.events.v1.{event}")
    personal = {"name", "phone", "email", "address", "full_name", "notes"}
    assert not personal & {f.name for f in message.fields}


def test_a_gateway_team_gets_typed_stubs_from_the_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, str(ROOT / "proto"), "-w", str(tmp_path)], check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "langganan/py.typed",
        "langganan/service_config.json",
        "langganan/credit/v1/holds_pb2.pyi",
        "langganan/credit/v1/holds_pb2_grpc.pyi",
    } <= names
    assert not [n for n in names if n.endswith(".proto")]


def test_nothing_generated_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not [f for f in listed.stdout.split() if "_pb2" in f]
