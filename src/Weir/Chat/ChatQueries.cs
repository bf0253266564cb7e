using System.Text.Json;
using Weir.Chat.Gathering;
using Weir.Postgres;

namespace Weir.Chat;

/// <summary>Who is to answer a message, as the database says.</summary>
internal enum TurnState
{
    /// <summary>This replica, now.</summary>
    Begun,

    /// <summary>Somebody else is at it.</summary>
    Running,

    /// <summary>The answer is there.</summary>
    Answered,

    /// <summary>Whoever was at it is gone, and has called servers.</summary>
    CutOff,

    /// <summary>The agent, its organization or the platform is switched off.</summary>
    Stopped,
}

/// <summary>What a turn asks of the database: as the person what a person sees and says, as the engine what an agent answers.</summary>
internal sealed class ChatQueries(UserSession users, Databases databases, Guid replicaId)
{
    /// <summary>The outcome of a turn without an answer of its own.</summary>
    public const string Failed = "failed";

    private const string Context = "select public.chat_context($1, $2, $3)";
    private const string DirectContext = "select public.open_direct_channel($1, $2)";
    private const string Post = "select public.post_chat_message($1, $2, $3)";

    // Does not wait for the disk, unless it is refused (decision 0059): the turn's beginning waits, and a commit is not there without those
    // before it.
    private const string PostOfTurn = """
        select p.answer, case when p.answer ? 'error' then null else set_config('synchronous_commit', 'off', true) end
        from (select public.post_chat_message($1, $2, $3) as answer offset 0) p
        """;

    private const string Messages =
        "select sender, user_id, agent_id, agent_name, content, user_name, deleted_at is not null from "
            + "public.get_chat_messages_with_details($1, $2, $3)";
    private const string Answer = "select id, content, tool_calls, usage, degraded from public.get_chat_answer($1, $2)";
    private const string Settings = "select weir.chat_turn_settings($1, $2)";
    private const string BeginTurn = "select state, calls from weir.begin_chat_turn($1, $2, $3, $4, $5)";
    private const string RecordCall = "select weir.record_chat_call($1, $2, $3, $4, $5)";
    private const string ReleaseTurn = "select weir.release_chat_turn($1, $2, $3)";
    private const string RecordAnswer = "select id, is_new from weir.record_chat_answer($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    private const string Audit = "select weir.audit_mcp_interactions($1)";

    /// <summary>Where a turn takes place, as the person sees it.</summary>
    public sealed record ChatContextRow(Guid OrganizationId, Guid ChannelId, ChatAgent? Agent, string? Instructions);

    public sealed record Message(
        string Sender, Guid? UserId, Guid? AgentId, string? AgentName, string Content, string? UserName, bool IsDeleted);

    public sealed record SavedAnswer(Guid Id, string Content, JsonElement ToolCalls, JsonElement Usage, JsonElement Degraded);

    /// <summary>The channel that was named, or the person's direct conversation with the agent, which is made on first use.</summary>
    /// <exception cref="Errors.WeirException">
    /// WR004: one of them is not there for this person, or they do not belong together. WR001: neither a channel nor an agent was named.
    /// WR003: a viewer begins no conversation.
    /// </exception>
    public async Task<ChatContextRow> ChatContextAsync(Guid userId, Guid? agentId, Guid? workspaceId, Guid? channelId, CancellationToken ct)
    {
        var json = channelId is null
            ? await users.CallAsync(userId, DirectContext, [Sql.Uuid(agentId), Sql.Uuid(workspaceId)], ct)
            : await users.CallAsync(userId, Context, [Sql.Uuid(agentId), Sql.Uuid(workspaceId), Sql.Uuid(channelId)], ct);
        var agent = json.GetProperty("agent");
        var isAgent = agent.ValueKind == JsonValueKind.Object;
        return new ChatContextRow(
            json.GetProperty("organization_id").GetGuid(),
            json.GetProperty("channel_id").GetGuid(),
            isAgent ? new ChatAgent(agent.GetProperty("id").GetGuid(), agent.GetProperty("name").GetString()!) : null,
            isAgent ? agent.GetProperty("instructions").GetString() : null);
    }

    /// <summary>The message's id; the same again for the same <paramref name="clientMessageId"/>.</summary>
    /// <param name="isTurn">A turn is begun next, which waits for the disk: then this does not.</param>
    /// <exception cref="Errors.WeirException">
    /// WR003: a viewer says nothing. WR004: the channel is not there for this person. WR005: the id was used for another text.
    /// </exception>
    public async Task<Guid> PostAsync(
        Guid userId, Guid channelId, string content, string? clientMessageId, bool isTurn, CancellationToken ct) =>
        (await users.CallAsync(userId, isTurn ? PostOfTurn : Post, [Sql.Uuid(channelId), Sql.Text(content), Sql.Text(clientMessageId)], ct))
            .GetProperty("id").GetGuid();

    /// <summary>Newest first, those before one of them.</summary>
    public Task<IReadOnlyList<Message>> MessagesAsync(
        Guid userId, Guid channelId, Guid? before, int limit, CancellationToken ct) => users.QueryAsync(
        userId,
        Messages,
        [Sql.Uuid(channelId), Sql.Uuid(before), Sql.Integer(limit)],
        r => new Message(r.GetString(0), r.GetNullable<Guid>(1), r.GetNullable<Guid>(2), r.GetNullableString(3),
            r.GetString(4), r.GetNullableString(5), r.GetBoolean(6)),
        ct);

    /// <summary>What the turn goes by, as it is now.</summary>
    /// <exception cref="Errors.WeirException">WR004: the agent is not this person's to use.</exception>
    public async Task<TurnSettings> SettingsAsync(Guid userId, Guid agentId, CancellationToken ct) => (await databases.Engine.QueryAsync(
        Settings, [Sql.Uuid(userId), Sql.Uuid(agentId)], r => r.GetJson(0).Deserialize<TurnSettings>(ChatAnswer.Json)!, ct)).Single();

    /// <summary>The agent's answer to a message, or null.</summary>
    public async Task<SavedAnswer?> AnswerAsync(Guid userId, Guid messageId, Guid agentId, CancellationToken ct) => (await users.QueryAsync(
        userId,
        Answer,
        [Sql.Uuid(messageId), Sql.Uuid(agentId)],
        r => new SavedAnswer(r.GetGuid(0), r.GetString(1), r.GetJson(2), r.GetJson(3), r.GetJson(4)),
        ct)).SingleOrDefault();

    /// <summary>Begins the answer to a person's message, unless it is there or somebody is at it.</summary>
    /// <param name="lease">After this it may be cut off.</param>
    /// <returns>Of a turn that was cut off, its calls too.</returns>
    /// <exception cref="Errors.WeirException">WR004: there is no such message of this person, or the agent is not theirs to
    /// use.</exception>
    public async Task<(TurnState State, IReadOnlyList<ToolCallReport> Calls)> BeginTurnAsync(
        Guid userId, Guid agentId, Guid messageId, TimeSpan lease, CancellationToken ct) =>
        (await databases.Engine.QueryAsync(
            BeginTurn,
            [Sql.Uuid(replicaId), Sql.Uuid(userId), Sql.Uuid(agentId), Sql.Uuid(messageId), Sql.Interval(lease)],
            r => (StateOf(r.GetString(0)), (IReadOnlyList<ToolCallReport>)r.GetJson(1).Deserialize<ToolCallReport[]>(ChatAnswer.Json)!),
            ct)).Single();

    /// <summary>A call of a turn that this replica has begun, before it is made and when it has ended.</summary>
    /// <param name="place">Its place among the turn's calls.</param>
    /// <exception cref="Errors.WeirException">WR005: the turn is over, or another replica's.</exception>
    public Task RecordCallAsync(
        Guid agentId, Guid messageId, int place, ToolCallReport call, CancellationToken ct) => databases.Engine.ExecuteAsync(
        RecordCall,
        [
            Sql.Uuid(replicaId), Sql.Uuid(agentId), Sql.Uuid(messageId), Sql.Integer(place),
            Sql.Jsonb(JsonSerializer.Serialize(call, ChatAnswer.Json)),
        ],
        ct);

    /// <summary>This replica has given up the turn; a retry need not wait.</summary>
    public Task ReleaseTurnAsync(Guid agentId, Guid messageId, CancellationToken ct) =>
        databases.Engine.ExecuteAsync(ReleaseTurn, [Sql.Uuid(replicaId), Sql.Uuid(agentId), Sql.Uuid(messageId)], ct);

    /// <summary>
    /// Saves the answer, which ends the turn, and with it the turn's row in the audit log; or finds the one that is there, if there is one.
    /// </summary>
    /// <param name="detail">Follows the answer's id in the audit log.</param>
    public async Task<(Guid Id, bool IsNew)> RecordAnswerAsync(
        Guid userId, Guid agentId, Guid channelId, Guid replyTo, ChatAnswer answer, string outcome, string detail, TimeSpan duration,
        CancellationToken ct) =>
        (await databases.Engine.QueryAsync(
            RecordAnswer,
            [
                Sql.Uuid(userId),
                Sql.Uuid(agentId),
                Sql.Uuid(channelId),
                Sql.Uuid(replyTo),
                Sql.Text(answer.Message),
                Sql.Jsonb(JsonSerializer.Serialize(answer.ToolCalls, ChatAnswer.Json)),
                Sql.Jsonb(JsonSerializer.Serialize(answer.Usage, ChatAnswer.Json)),
                Sql.Jsonb(JsonSerializer.Serialize(answer.Degraded, ChatAnswer.Json)),
                Sql.Jsonb(JsonSerializer.Serialize(new { outcome, detail, duration_ms = duration.TotalMilliseconds })),
            ],
            r => (r.GetGuid(0), r.GetBoolean(1)),
            ct)).Single();

    /// <summary>The row in the audit log of a turn that has no answer.</summary>
    public Task RecordFailureAsync(
        Guid organizationId, Guid userId, Guid agentId, Guid channelId, Guid messageId, string errorCode, TimeSpan duration,
        CancellationToken ct) =>
        databases.Engine.ExecuteAsync(
            Audit,
            [
                Sql.Jsonb(JsonSerializer.Serialize(new[]
                {
                    new
                    {
                        interaction_type = "chat",
                        organization_id = organizationId,
                        user_id = userId,
                        agent_id = agentId,
                        item = channelId.ToString(),
                        request_id = messageId.ToString(),
                        outcome = Failed,
                        error_details = new { code = errorCode, detail = "no answer" },
                        duration_ms = duration.TotalMilliseconds,
                    },
                })),
            ],
            ct);

    private static TurnState StateOf(string state) => state switch
    {
        "begun" => TurnState.Begun,
        "answered" => TurnState.Answered,
        "cut_off" => TurnState.CutOff,
        "stopped" => TurnState.Stopped,
        _ => TurnState.Running,
    };
}
