import { Button, Group, NativeSelect, TextInput } from "@mantine/core";
import { type FormEvent, type ReactNode, useId } from "react";
import { visible } from "../foreign.ts";
import { usePlaceName, usePlaces, useQuantities } from "../queries.ts";
import { fill, useSay } from "../say.tsx";
import type { Stranger } from "../strangers.ts";

/** What somebody says of a device when it is adopted. */
export interface Said {
  id: string;
  class: string;
  place: string;
  name?: string;
}

const mostChoices = 500;

/** Which kinds of devices the vocabulary knows, by name. */
function useClasses(): { value: string; label: string }[] {
  const say = useSay();
  const classes = [...(useQuantities().data?.values() ?? [])].flatMap((quantity) => quantity.classes);
  return [...new Set(classes)]
    .filter((name) => name !== "*")
    .map((value) => ({ value, label: say.class(value) }))
    .toSorted((one, other) => one.label.localeCompare(other.label, say.language));
}

/** The place of a device: a list by name, or its id where the city has too many places for a list. */
function PlaceField({ chosen }: { chosen: string }): ReactNode {
  const { w, language } = useSay();
  const placeName = usePlaceName();
  const places = usePlaces().data ?? [];
  const list = useId();
  if (places.length > mostChoices)
    return (
      <>
        <TextInput
          name="place"
          label={w.devices.place}
          description={w.strangers.placeHint}
          list={list}
          defaultValue={chosen}
          required
        />
        <datalist id={list}>
          {places.map(({ id }) => (
            <option key={id} value={id}>
              {placeName(id)}
            </option>
          ))}
        </datalist>
      </>
    );
  return (
    <NativeSelect
      key={places.length}
      name="place"
      label={w.devices.place}
      defaultValue={chosen}
      required
      data={[
        { value: "", label: w.strangers.choose },
        ...places
          .map(({ id }) => ({ value: id, label: placeName(id) }))
          .toSorted((one, other) => one.label.localeCompare(other.label, language)),
      ]}
    />
  );
}

const textOf = (form: FormData, field: string): string => {
  const value = form.get(field);
  return typeof value === "string" ? value.trim() : "";
};

/** The form that adopts an unknown device: id, name, kind, place. */
export function AdoptForm(props: {
  stranger: Stranger;
  /** The place that was chosen last. */
  place: string;
  busy: boolean;
  onCancel: () => void;
  onAdopt: (said: Said) => void;
}): ReactNode {
  const { w } = useSay();
  const { stranger, place, busy, onCancel, onAdopt } = props;
  const classes = useClasses();
  const isNative = stranger.scheme === null;
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const name = textOf(form, "name");
    onAdopt({
      id: textOf(form, "id"),
      class: textOf(form, "class"),
      place: textOf(form, "place"),
      ...(name === "" ? {} : { name }),
    });
  };
  return (
    <form onSubmit={submit} aria-label={`${w.strangers.adopt}: ${visible(stranger.identifier)}`}>
      <div className="filters">
        <TextInput
          name="id"
          label={w.strangers.id}
          description={isNative ? w.strangers.idNative : w.strangers.idHint}
          defaultValue={stranger.suggestion.id ?? ""}
          readOnly={isNative}
          pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
          maxLength={64}
          required
          autoFocus={!isNative}
          autoComplete="off"
        />
        <TextInput
          name="name"
          label={w.strangers.name}
          description={w.strangers.nameHint}
          maxLength={100}
          autoComplete="off"
        />
        <NativeSelect
          key={classes.length}
          name="class"
          label={w.devices.class}
          defaultValue={stranger.suggestion.class ?? ""}
          required
          data={[{ value: "", label: w.strangers.choose }, ...classes]}
        />
        <PlaceField chosen={place} />
      </div>
      <p className="dim">{fill(w.strangers.taken, { count: String(stranger.messages) })}</p>
      <Group gap="xs">
        <Button type="submit" loading={busy}>
          {w.strangers.confirm}
        </Button>
        <Button variant="default" onClick={onCancel}>
          {w.alerts.cancel}
        </Button>
      </Group>
    </form>
  );
}
