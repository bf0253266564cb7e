using Weir.Errors;
using Weir.Identity;
using Weir.Mcp;
using Weir.Postgres;

namespace Weir.Rest;

/// <summary>The closed list of what <c>/rest/v1</c> answers instead of rows: codes and statuses are PostgREST's.</summary>
internal static class RestErrors
{
    private const int MaxQuoted = 64;

    /// <summary>The audit log's table, which no API role may read.</summary>
    private const string AuditLog = "mcp_interaction_logs";

    public static RestException Parse(string what, string text, string expected) =>
        new(400, "PGRST100", $"\"failed to parse {what} ({Clip(text)})\"", expected, page: Page("filters"));

    public static RestException TooMuch(string what) =>
        new(400, "PGRST100", "The query is larger than Weir reads.", what, page: Page("limits"));

    public static RestException TooLarge(int maxBytes) => new(
        ErrorCode.TooLarge.HttpStatus(), ErrorCode.TooLarge.Sqlstate(),
        $"The answer is larger than {maxBytes} bytes.", "Ask for fewer rows or columns.", page: Page("limits"));

    /// <summary>The fair share of one caller is used up.</summary>
    public static RestException TooManyAtOnce(int most) => new(
        ErrorCode.RateLimited.HttpStatus(), ErrorCode.RateLimited.Sqlstate(),
        $"More than {most} requests of yours are open, and too many wait for them.", "Retry when some have ended.", page: Page("limits"));

    public static RestException Body(string message) => new(400, "PGRST102", message);

    public static RestException Number(string argument) =>
        new(400, "PGRST102", $"The argument {Clip(argument)} has a number that is out of range.", NumberBounds.Description,
            page: Page("limits"));

    public static RestException Range(string details) => new(416, "PGRST103", "Requested range not satisfiable", details);

    public static RestException Profile(string name) =>
        new(406, "PGRST106", $"Invalid schema: {Clip(name)}", hint: "Only the following schemas are exposed: public.",
            page: Page("refused"));

    public static RestException MediaType(string accept) =>
        new(406, "PGRST107", $"None of these media types are available: {Clip(accept)}", page: Page("refused"));

    public static RestException NotEmbedded(string name) =>
        new(400, "PGRST108", $"'{Clip(name)}' is not an embedded resource in this request", page: Page("embedding"));

    public static RestException NotOneRow(long rows) =>
        new(406, "PGRST116", "Cannot coerce the result to a single JSON object", $"The result contains {rows} rows");

    public static RestException Method(string method) =>
        new(405, "PGRST117", $"Unsupported HTTP method: {Clip(method)}", page: Page("writes"));

    public static RestException RpcMethod(string method) =>
        new(405, "PGRST101", $"Cannot use the {Clip(method)} method on RPC", page: Page("functions"));

    public static RestException Preferences(string invalid) =>
        new(400, "PGRST122", "Invalid preferences given with handling=strict", $"Invalid preferences: {Clip(invalid)}");

    public static RestException Aggregates() => new(400, "PGRST123", "Use of aggregate functions is not allowed", page: Page("refused"));

    public static RestException Path() => new(404, "PGRST125", "Invalid path specified in request URL", page: Page("served"));

    public static RestException Root() => new(404, "PGRST126", "Root endpoint metadata is disabled", page: Page("served"));

    public static RestException Embedding() =>
        new(400, "PGRST127", "Feature not implemented", "Weir does not embed one table in another.", page: Page("embedding"));

    /// <summary>What a Supabase project has and Weir has not: <c>realtime</c>, <c>storage</c>.</summary>
    public static RestException Service(string name) =>
        new(ErrorCode.NotSupported.HttpStatus(), ErrorCode.NotSupported.Sqlstate(), $"Weir has no {name}.", page: Page(name));

    public static RestException Table(string name) => new(
        404,
        "PGRST205",
        $"Could not find the table 'public.{Clip(name)}' in the schema cache",
        hint: name == AuditLog ? "The audit log is read by the function read_audit, which records who read it." : null,
        page: Page(name == AuditLog ? "functions" : "served"));

    public static RestException Column(string relation, string name) => new(400, "42703", $"column {relation}.{Clip(name)} does not exist");

    public static RestException NullByte() => new(400, "22021", "A value holds a null byte, which no text in the database can.");

    /// <param name="known">The parameters of the function of that name; null where there is none.</param>
    public static RestException Function(string name, IReadOnlyCollection<string> arguments, IEnumerable<string>? known)
    {
        var parameters = Clip(string.Join(", ", arguments));
        return new RestException(
            404,
            "PGRST202",
            $"Could not find the function public.{Clip(name)}{(arguments.Count == 0 ? "" : $"({parameters})")} in the schema cache",
            $"Searched for the function public.{Clip(name)}"
                + $"{(arguments.Count == 0 ? " without parameters" : $" with parameter{(arguments.Count > 1 ? "s" : "")} {parameters}")}"
                + ", but no matches were found in the schema cache.",
            known is null ? null : $"Perhaps you meant to call the function public.{name}({string.Join(", ", known)})",
            known is null ? Page("functions") : null);
    }

    public static RestException Ambiguous(string name) =>
        new(300, "PGRST203", $"Could not choose the best candidate function between those that are called public.{name}",
            hint: "Name all parameters.");

    /// <summary>The token cannot be read, or is not signed by who signs them here.</summary>
    public static RestException InvalidToken() => new(401, "PGRST301", "The token is not valid here.", hint: "Sign in again.");

    /// <summary>A key that is not an organization's: misspelt, or an agent's key, which does not work here.</summary>
    public static RestException InvalidKey() =>
        new(401, "PGRST301", KeyText.Refused, hint: "An organization's key reads here; an agent's key is for /mcp.");

    public static RestException ExpiredToken() => new(401, "PGRST303", "JWT expired", hint: "Refresh the session.");

    /// <summary>What PostgreSQL says to <c>anon</c> of what it may not use.</summary>
    public static RestException SignIn() => new(401, "42501", "permission denied", hint: "Sign in.");

    public static RestException ServiceRole() =>
        new(403, "42501", "permission denied to set role \"service_role\"", page: Page("identity"));

    /// <summary>What a key of an organization is not for.</summary>
    public static RestException KeyMisplaced()
    {
        var e = OrganizationKey.Misplaced();
        return Refusal(e.Code, e.Message, e.Hint, e.Page);
    }

    /// <summary>A function's own refusal, which it returned and did not raise.</summary>
    public static RestException Refusal(ErrorCode code, string message, string? hint, string? page = null) =>
        new(code.HttpStatus(), code.Sqlstate(), message, hint: hint, page: page);

    /// <summary>
    /// What the database raised. Null: an internal error, which only the log may tell, or the database's own trouble, which the log tells
    /// too.
    /// </summary>
    public static RestException? From(WeirException error, bool isAnon, bool readOnly) => DatabaseErrors.SqlstateOf(error) switch
    {
        _ when DatabaseErrors.IsLibraryTrouble(error) => null,
        ['2', '2', ..] and { } state when Problem(state) is var (status, text) => new RestException(status, state, text),
        _ when error.Code is not (ErrorCode.Internal or ErrorCode.Forbidden or ErrorCode.Unavailable) =>
            Refusal(error.Code, error.Message, error.Hint, error.Page),
        "25006" when readOnly => new RestException(405, "25006", "This function may write, and GET may not.", hint: "Call it with POST."),
        "42501" => isAnon ? SignIn() : new RestException(403, "42501", "permission denied"),
        "57014" => new RestException(504, "57014", "The statement took too long and was cancelled.", page: Page("limits")),
        { } state when Problem(state) is var (status, text) => new RestException(status, state, text),
        _ when error.Code != ErrorCode.Internal => Refusal(error.Code, error.Message, error.Hint, error.Page),
        _ => null,
    };

    private static string Page(string heading) => $"rest#{heading}";

    /// <summary>Ours, never PostgreSQL's own text: that may quote a row that the cast or operator met.</summary>
    private static (int Status, string Text)? Problem(string state) => state switch
    {
        "22P02" => (400, "A value does not have the form of the type that it is compared with or given for."),
        "22P05" => (400, "A text holds a character that the database cannot hold."),
        "22021" => (400, "A text is not valid UTF-8, or holds a null byte."),
        "22003" => (400, "A number is out of the range of its type."),
        "22007" or "22008" => (400, "A date or time does not have a valid form, or is out of range."),
        "2201B" => (400, "A regular expression is not valid."),
        "22025" => (400, "A pattern ends in its escape character."),
        ['2', '2', ..] => (400, "A value cannot be used here."),
        "23503" or "23505" => (409, "It refers to what is not there, or is there already."),
        ['2', '3', ..] => (400, "A value breaks a rule of its table."),
        "42883" => (404, "There is no such operator for the types of these columns and values."),
        "42P01" => (404, "The table is not there."),
        "42703" => (400, "A column does not exist."),
        "42804" or "42846" or "42725" or "42P18" or "42809" => (400, "A value or cast does not fit the type of its column."),
        ['5', '4', ..] => (400, "The query is too complex."),
        "P0001" => (400, "The function refused."),
        _ => null,
    };

    private static string Clip(string text) => text.Length <= MaxQuoted ? text : text[..MaxQuoted] + "…";
}
