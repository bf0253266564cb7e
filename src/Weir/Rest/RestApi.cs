using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;
using Weir.Identity;
using Weir.Limits;
using Weir.Nodes;
using Weir.Postgres;

namespace Weir.Rest;

/// <summary>A request, once its headers are read.</summary>
/// <param name="UserId">Verified; null: nobody, or a key.</param>
/// <param name="Query">Decoded, in order.</param>
/// <param name="Count">Whether the rows are to be counted.</param>
/// <param name="ReadOnly">Nothing may be written on the way: GET and HEAD.</param>
/// <param name="Key">A key of an organization, not verified yet: the database does that before it reads anything, and in the statement that
/// reads.</param>
/// <param name="Address">Where it comes from, which is who asks where nobody is known.</param>
/// <param name="SignIn">When the person signed in; null if their token does not say it.</param>
internal sealed record RestCall(
    Guid? UserId, IReadOnlyList<KeyValuePair<string, string>> Query, string? Range, RestFormat Format, bool Count, bool ReadOnly,
    OrganizationKey? Key = null, string Address = "", SignIn? SignIn = null)
{
    /// <summary>Whose share it takes. A key counts by its network address until it was found good.</summary>
    public string Caller => UserId is { } user ? $"user {user}" : $"address {Address}";

    /// <summary>Whose bytes its body and its answer are. A key gets an answer only when it was found good.</summary>
    public string Holder => UserId is { } user ? Principal.CallerOf(user) : Key?.Id ?? $"address {Address}";
}

/// <param name="Status">200 or 206; 204 where there is no body.</param>
internal sealed record RestAnswer(int Status, string ContentRange, ReadOnlyMemory<byte>? Body);

/// <summary>Reads of published tables and calls of published functions. Who may is PostgreSQL's answer to the statement itself.</summary>
internal sealed class RestApi(PublishedApis apis, RestQueries queries, PerCallerQueue share, RestConfig config, ServerLogs? logs = null)
{
    /// <summary>
    /// The function whose result comes from a node. The database authorizes and records the call and returns the instance to read.
    /// </summary>
    private const string Logs = "get_mcp_server_logs";

    /// <summary>Tells the database that Weir's process makes this call, so that it does not answer WR010.</summary>
    private const string LogReader = "weir.log_reader";

    /// <exception cref="RestException">It cannot be answered.</exception>
    public async Task<RestAnswer> ReadAsync(string table, RestCall call, CancellationToken ct)
    {
        if (call.Key is not null)
        {
            throw RestErrors.KeyMisplaced();
        }

        var relation = (await apis.GetAsync(ct)).Relation(table) ?? (await AgainAsync(call, ct))?.Relation(table)
            ?? throw RestErrors.Table(table);
        RefuseAnon(call, relation.ForAnon);
        var request = QueryParser.Parse(relation, call.Query, call.Range, config.MaxRows);
        var rows = await RunAsync(call, RestStatement.Read(relation, request, call.Format, call.Count), ct, request.Misfits);
        return Answer(rows, request.Range, call.Format);
    }

    /// <param name="body">The arguments of a POST; null: they are in the query string.</param>
    /// <exception cref="RestException">It cannot be answered, or the function refused.</exception>
    public async Task<RestAnswer> CallAsync(string name, ReadOnlyMemory<byte>? body, RestCall call, CancellationToken ct)
    {
        if (call.Key is { } key)
        {
            return await CallWithKeyAsync(name, body, call, key, ct);
        }

        var candidates = (await apis.GetAsync(ct)).Functions(name) is { Count: > 0 } known
            ? known : (await AgainAsync(call, ct))?.Functions(name) ?? [];
        var isKnown = call.UserId is not null;
        var (arguments, query) =
            body is { } json ? (CallArguments.Parse(json, isKnown), call.Query) : CallArguments.Parse(candidates, call.Query, isKnown);
        var function = Choose(name, candidates, arguments.Names);
        RefuseAnon(call, function.ForAnon);
        var request = QueryParser.Parse(function.Rows ?? new PublishedRelation(name, []), query, call.Range, config.MaxRows);
        var statement = function.Rows is null
            ? RestStatement.CallValue(function, arguments, config.MaxRows, config.MaxBytes, IsOfNode(name) ? LogReader : null)
            : RestStatement.CallRows(function, arguments, request, call.Format, call.Count);
        var rows = await RunAsync(call, statement, ct, () => arguments.Misfits(function) ?? request.Misfits());
        if (function.Rows is not null)
        {
            return Answer(rows, request.Range, call.Format);
        }

        ThrowRefusal(function, rows.Body);
        var value = IsOfNode(name) ? await ReadLogsAsync(call, rows.Body!.Value, ct) : rows.Body;
        return new RestAnswer(value is null ? 204 : 200, request.Range.Header(rows.Rows, total: null), value);
    }

    private bool IsOfNode(string name) => logs is not null && string.Equals(name, Logs, StringComparison.Ordinal);

    /// <summary>Runs after the transaction that authorized and recorded the reading.</summary>
    private async Task<ReadOnlyMemory<byte>?> ReadLogsAsync(RestCall call, ReadOnlyMemory<byte> granted, CancellationToken ct)
    {
        var asked = JsonElement.Parse(granted.Span, new JsonDocumentOptions { MaxDepth = JsonDepth.Wrapped });
        var since = asked.GetProperty("since") is { ValueKind: JsonValueKind.String } time
            ? time.GetDateTimeOffset() : (DateTimeOffset?)null;
        using var turn = await EnterAsync(call.Caller, ct);
        try
        {
            return await logs!.ReadAsync(
                asked.GetProperty("server_instance_id").GetGuid(), asked.GetProperty("tail").GetInt32(), since, ct);
        }
        catch (WeirException e)
        {
            throw RestErrors.Refusal(e.Code, e.Message, e.Hint);
        }
    }

    private async Task<RestAnswer> CallWithKeyAsync(
        string name, ReadOnlyMemory<byte>? body, RestCall call, OrganizationKey key, CancellationToken ct)
    {
        var function = KeyFunctions.Find(name) ?? throw RestErrors.KeyMisplaced();
        var (arguments, query) = body is { } json
            ? (CallArguments.Parse(json, isKnown: false), call.Query) : CallArguments.Parse([function], call.Query, isKnown: false);
        _ = Choose(name, [function], arguments.Names);
        var request = QueryParser.Parse(new PublishedRelation(name, []), query, call.Range, config.MaxRows);
        var organization = queries.IsSeen(key) ? null : await ProveAsync(key, call.Caller, ct);
        using var ofKey = await EnterAsync($"key {key.Id}", ct);
        organization ??= await queries.OrganizationOfAsync(key, isSeen: true) ?? throw Refused();
        var rows = await RunAsync(
            call, $"organization {organization}", () => queries.ReadWithKeyAsync(key, call.ReadOnly, name, arguments.Json, ct), ct);
        ThrowRefusal(function, rows.Body);
        return new RestAnswer(200, request.Range.Header(rows.Rows, total: null), rows.Body);
    }

    /// <summary>
    /// A key that was not seen good here lately counts by its network address while it is looked up, because key ids can be made up.
    /// </summary>
    private async Task<Guid?> ProveAsync(OrganizationKey key, string caller, CancellationToken ct)
    {
        using var turn = await EnterAsync(caller, ct);
        return await queries.OrganizationOfAsync(key, isSeen: false) ?? throw Refused();
    }

    private static RestException Refused() => RestErrors.Refusal(ErrorCode.Unauthenticated, KeyText.Refused, hint: null);

    private async Task<IDisposable> EnterAsync(string caller, CancellationToken ct) =>
        await share.EnterAsync(caller, ct) ?? throw RestErrors.TooManyAtOnce(config.MaxConcurrent);

    /// <summary>
    /// The names as they are now. Who is not signed in is answered from those that are kept: what is not there is not theirs either.
    /// </summary>
    private async Task<PublishedApi?> AgainAsync(RestCall call, CancellationToken ct) => call.UserId is null
        ? null : await apis.ReadAgainAsync(ct);

    /// <summary>
    /// Nobody is signed in, and PostgreSQL has granted <c>anon</c> nothing of it. The statement would be refused alike; but each refused
    /// one is lines in PostgreSQL's log, and anybody can send it.
    /// </summary>
    private static void RefuseAnon(RestCall call, bool forAnon)
    {
        if (call.UserId is null && !forAnon)
        {
            throw RestErrors.SignIn();
        }
    }

    private static PublishedFunction Choose(string name, IReadOnlyList<PublishedFunction> candidates, IReadOnlyList<string> arguments) =>
        candidates.Where(f => f.Takes(arguments)).ToArray() switch
        {
            [var one] => one,
            [] => throw RestErrors.Function(name, arguments, candidates is [var first, ..] ? first.Arguments.Select(a => a.Name) : null),
            _ => throw RestErrors.Ambiguous(name),
        };

    private Task<RestRows> RunAsync(RestCall call, RestStatement statement, CancellationToken ct, Func<string?>? misfits = null) =>
        RunAsync(call, call.Caller, () => queries.RunAsync(call.UserId, call.SignIn, call.ReadOnly, statement, ct), ct, misfits);

    /// <param name="misfits">What of the arguments a value that PostgreSQL cannot use is about, where that can be told.</param>
    private async Task<RestRows> RunAsync(
        RestCall call, string caller, Func<Task<RestRows>> work, CancellationToken ct, Func<string?>? misfits = null)
    {
        using var turn = await EnterAsync(caller, ct);
        try
        {
            var rows = await work();
            return rows.IsTooLarge ? throw RestErrors.TooLarge(config.MaxBytes) : rows;
        }
        catch (WeirException e) when (RestErrors.From(e, call.UserId is null && call.Key is null, call.ReadOnly) is { } error)
        {
            throw Noted(error.Code switch
            {
                ['2', '2', ..] => error.About(misfits?.Invoke()),
                // A limit of PostgreSQL's that a value goes beyond, such as an array's dimensions: the same as another bad value.
                ['5', '4', ..] when misfits?.Invoke() is { } about =>
                    RestErrors.Refusal(ErrorCode.InvalidArgument, $"A value is too complex. {about}", hint: null),
                _ => error,
            });
        }
    }

    /// <summary>Where a name that we know is not there, the names may have changed under us.</summary>
    private RestException Noted(RestException error)
    {
        if (error.Code is "42703" or "42P01" or "42883")
        {
            apis.Drop();
        }

        return error;
    }

    private static RestAnswer Answer(RestRows rows, RowRange range, RestFormat format)
    {
        if (rows.Total is { } total && range.Offset > total)
        {
            throw RestErrors.Range($"An offset of {range.Offset} was requested, but there are only {total} rows.");
        }

        return format.Shape == RestShape.Object && rows.Rows != 1
            ? throw RestErrors.NotOneRow(rows.Rows)
            : new RestAnswer(RowRange.Status(rows.Rows, rows.Total), range.Header(rows.Rows, rows.Total), rows.Body);
    }

    /// <summary>A writing function commits what it recorded and returns its refusal as a value.</summary>
    private static void ThrowRefusal(PublishedFunction function, ReadOnlyMemory<byte>? body)
    {
        if (function.ReturnsSet || function.ResultType is not ("json" or "jsonb") || body is not { } text)
        {
            return;
        }

        var answer = JsonElement.Parse(text.Span, new JsonDocumentOptions { MaxDepth = JsonDepth.Wrapped });
        if (answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("error", out var error)
            && error.ValueKind == JsonValueKind.String
            && ErrorCodes.TryParse(error.GetString(), out var code))
        {
            throw RestErrors.Refusal(code, Text(answer, "message") ?? "Refused.", Text(answer, "hint"));
        }
    }

    private static string? Text(JsonElement answer, string name) =>
        answer.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
