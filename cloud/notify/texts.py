"""What a message says, in English and Chinese.

Templates know `{name}` and nothing else: no attributes, no formats, no code; what is filled in is
not read again. So nothing that a device or a person wrote can run.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from cloud.advisories.modes import BUILT_IN
from cloud.advisories.reason import reasons
from cloud.ledger.records import AlertRow, TicketState
from models.profile import Profile
from models.words import title

Language = Literal["en", "zh"]
NAME: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")

TEMPLATES: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "title": "[{urgency}] {machine}: {what}",
        "title_more": "[{urgency}] {machine}: {what} and {more} more",
        "opened": "New ticket #{number}: {what}{component}.",
        "raised": "Ticket #{number} has become more urgent: {what}{component}.",
        "reopened": "Ticket #{number} is open again, it came back: {what}{component}.",
        "component": " ({component})",
        "machine": "Machine: {name} ({machine})",
        "reason": "Reason: {reason}.",
        "action": "To do: {action}",
        "part": "Part: {part}, order by {order_by}{clock}.",
        "due": "Visit between {earliest} and {latest}{clock}.",
        "overdue": "Visit as soon as possible: it is due by {latest}{clock}.",
        "data_clock": " (the machine's own clock)",
        "confidence": "Confidence: {confidence}; {coverage} % of its signals are heard.",
        "acknowledge": "Take it on: {link}",
        "reference": "Reference: {reference}",
        "high": "high",
        "medium": "medium",
        "low": "low",
        "urgency_3": "ALARM",
        "urgency_2": "ALERT",
        "urgency_1": "NOTICE",
    },
    "zh": {
        "title": "【{urgency}】{machine}：{what}",
        "title_more": "【{urgency}】{machine}：{what}等{more}项",
        "opened": "新工单 #{number}：{what}{component}。",
        "raised": "工单 #{number} 紧急程度上升：{what}{component}。",
        "reopened": "工单 #{number} 故障重现，已重新打开：{what}{component}。",
        "component": "（{component}）",
        "machine": "设备：{name}（{machine}）",
        "reason": "依据：{reason}。",
        "action": "处理建议：{action}",
        "part": "备件：{part}，最晚订货 {order_by}{clock}。",
        "due": "建议上门时间：{earliest} 至 {latest}{clock}。",
        "overdue": "请尽快上门：应于 {latest}{clock} 前完成。",
        "data_clock": "（设备时钟）",
        "confidence": "置信度：{confidence}；信号覆盖 {coverage}%。",
        "acknowledge": "确认接手：{link}",
        "reference": "参考号：{reference}",
        "high": "高",
        "medium": "中",
        "low": "低",
        "urgency_3": "报警",
        "urgency_2": "警告",
        "urgency_1": "提示",
    },
}


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A message in one language."""

    title: str
    body: str


#: what "send test" sends
TEST: Final[Mapping[Language, Text]] = {
    "en": Text(title="forewarn: test", body="This is a test. Alerts will reach you this way."),
    "zh": Text(title="forewarn：测试", body="这是一条测试消息。告警将以此方式送达。"),
}

#: what the operator gets about the service itself
OPERATOR: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "raised_title": "[ALARM] forewarn: the disk is nearly full",
        "raised": "{folder}: {free} of {total} bytes are free. No readings are taken; devices keep "
        "them, pages and alerts go on. It resumes by itself once {wanted} bytes are free.",
        "cleared_title": "[OVER] forewarn: the disk has room again",
        "cleared": "{folder}: readings are taken again; devices send what they kept.",
    },
    "zh": {
        "raised_title": "【报警】forewarn：磁盘即将写满",
        "raised": "{folder}：剩余 {free} 字节，共 {total} 字节。暂停接收读数，设备会自行保留；"
        "页面和告警照常。剩余空间达到 {wanted} 字节后自动恢复。",
        "cleared_title": "【解除】forewarn：磁盘空间已恢复",
        "cleared": "{folder}：已恢复接收读数，设备将补发保留的读数。",
    },
}


def fill(template: str, values: Mapping[str, object]) -> str:
    """Put values in the place of `{name}`; names that are not given stay as they are.

    Line breaks and control characters in values become spaces, so that none can forge a line.
    """

    def put(found: re.Match[str]) -> str:
        name = found.group(1)
        return CONTROL.sub(" ", str(values[name])) if name in values else found.group(0)

    return NAME.sub(put, template)


def compose(
    alerts: Sequence[AlertRow],
    language: Language,
    profile: Profile,
    link: Callable[[str], str] | None = None,
) -> Text:
    """Write one message about one machine from its alerts, the heaviest first.

    `link` gives the address at which the ticket of an id is taken on.
    """
    words = TEMPLATES[language]
    ordered = sorted(alerts, key=lambda alert: (-alert.severity, alert.id))
    first = ordered[0]
    tickets = {alert.ticket.id for alert in ordered}
    values = {
        "urgency": words[f"urgency_{first.severity}"],
        "machine": first.name or first.machine,
        "what": title(first.ticket.title, first.ticket.mode, language),
        "more": len(tickets) - 1 if language == "en" else len(tickets),
    }
    heading = fill(words["title" if len(tickets) == 1 else "title_more"], values)
    name = {"name": first.name or first.machine, "machine": first.machine}
    blocks = [fill(words["machine"], name)]
    for alert in ordered:
        lines = _lines(alert, language, profile)
        if link is not None and alert.ticket.state is TicketState.NEW:
            lines.append(fill(words["acknowledge"], {"link": link(alert.ticket.id)}))
        blocks.append("\n".join(lines))
    blocks.append(fill(words["reference"], {"reference": first.batch_id or first.id}))
    return Text(title=heading, body="\n\n".join(blocks))


def _lines(alert: AlertRow, language: Language, profile: Profile) -> list[str]:
    words, ticket, advisory = TEMPLATES[language], alert.ticket, alert.advisory
    part = profile.consumables.get(ticket.component)
    component = title(part.title if part else {}, ticket.component, language)
    named = ticket.mode not in BUILT_IN  # what every machine has needs no name of ours
    head = {
        "number": ticket.number,
        "what": title(ticket.title, ticket.mode, language),
        "component": fill(words["component"], {"component": component}) if named else "",
    }
    lines = [fill(words[alert.kind], head)]
    clock = words["data_clock"] if alert.clock == "data" else ""
    why = reasons(alert.evidence, advisory.life, profile, language)
    lines += [fill(words["reason"], {"reason": reason}) for reason in why]
    lines.append(fill(words["action"], {"action": title(ticket.action, "", language)}))
    if ticket.part and ticket.order_by_ns is not None:
        order = {"part": ticket.part, "order_by": day(ticket.order_by_ns), "clock": clock}
        lines.append(fill(words["part"], order))
    due = {
        "earliest": moment(ticket.due_earliest_ns),
        "latest": moment(ticket.due_latest_ns),
        "clock": clock,
    }
    ahead = ticket.due_earliest_ns < ticket.due_latest_ns
    lines.append(fill(words["due" if ahead else "overdue"], due))
    sure = {"confidence": words[advisory.confidence], "coverage": round(advisory.coverage * 100)}
    lines.append(fill(words["confidence"], sure))
    return lines


def moment(at_ns: int) -> str:
    """Return a time for people, with its zone."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M UTC")


def day(at_ns: int) -> str:
    """Return the day of a time for people, with its zone: all of it is in time."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%d UTC")
