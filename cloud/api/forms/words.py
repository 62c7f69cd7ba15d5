"""The words of these pages, in both languages."""

from collections.abc import Mapping
from typing import Final

from fastapi import Request

from cloud.accounts.values import Language

WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "sign_in": "Sign in",
        "signed_out": "You are signed out.",
        "sign_out": "Sign out",
        "sign_out_ask": "Sign out of forewarn in this browser?",
        "name": "Sign-in name",
        "password": "Password",
        "new_password": "New password",
        "again": "The same again",
        "form": "12 to 256 characters; a sentence is fine.",
        "setup": "Make the administrator",
        "setup_ask": "Whoever signs in with this name may do everything.",
        "choose": "Choose a password",
        "choose_ask": "For {name}. The link works once.",
        "save": "Save",
        "differs": "The two passwords differ.",
        "wrong": "Sign-in name or password is wrong.",
        "wait": "Too many wrong passwords: try again in {seconds} s.",
        "name_form": "Letters, digits and . _ @ + -, at most 64.",
        "name_itself": "The service itself is called so in histories: choose another name.",
        "link_dead": "This link is unknown, used or too old. Ask for a new one.",
        "acknowledge": "Acknowledge the ticket",
        "acknowledge_ask": "By this you say that you take the ticket on.",
        "acknowledged": "The ticket is acknowledged. Thank you.",
        "acknowledged_before": "The ticket was acknowledged before; nothing is left to do here.",
        "ticket": "Ticket #{number}",
        "machine": "Machine",
        "due": "Due",
        "between": "{earliest} to {latest}",
        "data_clock": " (the machine's own clock)",
        "back": "Go to forewarn",
        "trial": "This is a trial installation: nobody needs to sign in.",
        "e400": "The request cannot be read.",
        "e401": "Please sign in first.",
        "e403": "You may not do this.",
        "e404": "There is no such page, or it is not yours.",
        "e405": "This address does not take that.",
        "e413": "That is too large.",
        "e415": "Send the form as your browser does.",
        "e421": "This service does not answer under that name.",
        "e429": "Too many attempts: try again later.",
        "e500": "The service has a fault. Its log says more.",
        "e503": "The service is busy: try again.",
    },
    "zh-CN": {
        "sign_in": "登录",
        "signed_out": "您已退出登录。",
        "sign_out": "退出登录",
        "sign_out_ask": "在此浏览器中退出 forewarn？",
        "name": "登录名",
        "password": "密码",
        "new_password": "新密码",
        "again": "再次输入",
        "form": "12 至 256 个字符，可以是一句话。",
        "setup": "创建管理员",
        "setup_ask": "使用此登录名登录的人拥有全部权限。",
        "choose": "设置密码",
        "choose_ask": "用户：{name}。此链接只能使用一次。",
        "save": "保存",
        "differs": "两次输入的密码不一致。",
        "wrong": "登录名或密码错误。",
        "wait": "密码错误次数过多，请在 {seconds} 秒后重试。",
        "name_form": "字母、数字以及 . _ @ + -，最多 64 个字符。",
        "name_itself": "历史记录中系统自身使用这个名字，请另选一个。",
        "link_dead": "此链接不存在、已使用或已过期，请重新获取。",
        "acknowledge": "确认工单",
        "acknowledge_ask": "确认后表示由您接手此工单。",
        "acknowledged": "工单已确认，谢谢。",
        "acknowledged_before": "此工单先前已确认，无需再操作。",
        "ticket": "工单 #{number}",
        "machine": "设备",
        "due": "期限",
        "between": "{earliest} 至 {latest}",
        "data_clock": "（设备时钟）",
        "back": "前往 forewarn",
        "trial": "这是试用安装，无需登录。",
        "e400": "无法读取该请求。",
        "e401": "请先登录。",
        "e403": "您没有此操作的权限。",
        "e404": "页面不存在，或不属于您。",
        "e405": "此地址不支持该操作。",
        "e413": "内容过大。",
        "e415": "请按浏览器的方式提交表单。",
        "e421": "本服务不使用该名称。",
        "e429": "尝试次数过多，请稍后再试。",
        "e500": "服务出现故障，详情见日志。",
        "e503": "服务繁忙，请重试。",
    },
}


def language_of(request: Request, own: Language | None = None) -> Language:
    """Return a person's own language, else the better of the two the browser asks for."""
    if own is not None:
        return own
    best: tuple[float, Language] = (0.0, "en")
    for part in request.headers.get("accept-language", "")[:500].split(","):
        name, _, rest = part.strip().partition(";")
        weight = _weight(rest)
        kind = name.lower().partition("-")[0]
        if kind in ("zh", "en") and weight > best[0]:
            best = (weight, "zh-CN" if kind == "zh" else "en")
    return best[1]


def _weight(text: str) -> float:
    value = text.strip().removeprefix("q=")
    try:
        found = float(value) if value else 1.0
    except ValueError:
        return 0.0
    return found if 0.0 <= found <= 1.0 else 0.0
